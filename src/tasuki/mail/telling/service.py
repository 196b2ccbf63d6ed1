"""Decides who may be told of a task by mail, and orders both together.

The mail is written by a task of its own, which the end of the told one lets go; see decision 0032.
"""

from typing import Any

from tasuki.core.database import Session
from tasuki.core.errors import ValidationFailed
from tasuki.mail.rights import need_mail_system
from tasuki.mail.service import MailService, VerifiedAddresses
from tasuki.mail.settings import MailSettings
from tasuki.mail.telling.tasks import tell, tell_batch
from tasuki.tasks.batches import BatchService
from tasuki.tasks.declare import Task
from tasuki.tasks.records import TaskHandle
from tasuki.tasks.telling import Tidings
from tasuki.web.principal import Principal

_NOT_VERIFIED = (
    "no address of yours is verified; have a link sent by POST /api/v1/mail/verification, "
    "or on your account page"
)


class TellingService:
    """Has owners told by mail; see `Teller`.

    Args:
        addresses: Whose is which.
    """

    def __init__(
        self,
        *,
        batches: BatchService,
        mails: MailService,
        settings: MailSettings,
        addresses: VerifiedAddresses,
    ) -> None:
        self._batches = batches
        self._mails = mails
        self._settings = settings
        self._addresses = addresses

    async def enqueue(
        self,
        session: Session,
        user: Principal,
        task: Task[..., Any],
        args: dict[str, Any],
        tidings: Tidings,
    ) -> TaskHandle:
        """See `Teller.enqueue`."""
        told = await self._told(session, user, tidings)
        return await self._batches.enqueue_followed(session, task, args, then=tell, then_args=told)

    async def about_batch(
        self, session: Session, user: Principal, tidings: Tidings
    ) -> tuple[Task[..., Any], dict[str, Any]]:
        """See `Teller.about_batch`."""
        return tell_batch, await self._told(session, user, tidings)

    async def _told(self, session: Session, user: Principal, tidings: Tidings) -> dict[str, Any]:
        """Return what the task that tells needs to know, if the user may be told."""
        need_mail_system(self._settings)
        address = await self._addresses.verified_address(session, user.id)
        if address is None:
            errors = [{"loc": ["body", "mail_me"], "msg": _NOT_VERIFIED}]
            raise ValidationFailed(f"mail_me: {_NOT_VERIFIED}", errors=errors)
        await self._mails.admit(session, user, address)
        return {
            "to": address,
            "template": tidings.template,
            "link_base": tidings.link_base,
            "values": {
                **tidings.values,
                "name": user.name or user.username,
                "language": tidings.language,
            },
        }
