"""Builds what orders and sends mail, for requests and for tasks."""

from tasuki.core.clock import utc_now
from tasuki.core.database import Database
from tasuki.core.notices import Notices
from tasuki.core.registry import Registry
from tasuki.mail.catching.service import CaughtMailService
from tasuki.mail.handing.repository import HandingRepository
from tasuki.mail.handing.sender import Sender
from tasuki.mail.handing.statements import UNIT
from tasuki.mail.sendings.repository import SendingRepository
from tasuki.mail.sendings.runs import ChunkRunner
from tasuki.mail.sendings.service import SendingService
from tasuki.mail.service import MailService, VerifiedAddresses
from tasuki.mail.settings import MailSettings
from tasuki.mail.smtp import SmtpTransport
from tasuki.mail.suppressions.links import UnsubscribeLinks
from tasuki.mail.suppressions.service import SuppressionService
from tasuki.mail.telling.service import TellingService
from tasuki.mail.telling.writing import EndMails
from tasuki.mail.templates import Templates
from tasuki.mail.verifying.service import OwnAddresses, VerificationService
from tasuki.tasks import TaskService
from tasuki.tasks.batches import BatchService
from tasuki.tasks.telling import Teller
from tasuki.wiring.settings import Settings


def add_mail(registry: Registry, settings: Settings) -> None:
    """Add what orders and sends mail; tasks, batches and people are known already."""
    mail = registry.add(MailSettings, settings.mail)
    key = settings.secret_key.get_secret_value() if settings.secret_key else None
    database = registry.get(Database)
    registry.add(UnsubscribeLinks, UnsubscribeLinks(database=database, key=key))
    registry.add(SuppressionService, SuppressionService())
    registry.add(Templates, Templates(mail.templates))
    registry.add(CaughtMailService, CaughtMailService(is_on=mail.caught))
    _add_orders(registry, mail)
    _add_handing_over(registry, mail)


def _add_orders(registry: Registry, mail: MailSettings) -> None:
    tasks, batches = registry.get(TaskService), registry.get(BatchService)
    addresses: VerifiedAddresses = registry.get(VerifiedAddresses)
    mails = registry.add(MailService, MailService(tasks=tasks, settings=mail, addresses=addresses))
    tasks.when_cancelled(mails.cancelled)
    registry.offer(VerificationService, lambda: _verification(registry))
    templates = registry.get(Templates)
    registry.add(
        EndMails, EndMails(tasks=tasks, batches=batches, mails=mails, templates=templates)
    )
    registry.add(
        Teller,
        TellingService(batches=batches, mails=mails, settings=mail, addresses=addresses),
    )
    sendings = registry.add(
        SendingService,
        SendingService(tasks=tasks, batches=batches, settings=mail, notices=registry.get(Notices)),
    )
    batches.count_by(UNIT, sendings)


def _verification(registry: Registry) -> VerificationService:
    """Return what is there only where users are Tasuki's own."""
    addresses: OwnAddresses = registry.get(OwnAddresses)
    return VerificationService(
        mails=registry.get(MailService),
        templates=registry.get(Templates),
        addresses=addresses,
    )


def _add_handing_over(registry: Registry, mail: MailSettings) -> None:
    notices = registry.get(Notices)
    repository = registry.add(
        HandingRepository,
        HandingRepository(
            registry.get(Database), retention_s=mail.retention_s, retry_for_s=mail.retry_for_s
        ),
    )
    sender = registry.add(
        Sender,
        Sender(
            repository=repository,
            transport=SmtpTransport(mail),
            settings=mail,
            notices=notices,
            clock=utc_now,
        ),
    )
    registry.add(
        ChunkRunner,
        ChunkRunner(
            sender=sender,
            repository=repository,
            sendings=SendingRepository(),
            links=registry.get(UnsubscribeLinks),
            settings=mail,
            notices=notices,
        ),
    )
