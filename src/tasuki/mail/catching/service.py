"""Decides what of the inbox of development is kept and shown."""

from collections.abc import Sequence
from uuid import UUID

from tasuki.core.database import Database, Session
from tasuki.core.errors import NotFound
from tasuki.core.ids import new_id
from tasuki.mail.catching.reading import printable, read_subject
from tasuki.mail.catching.records import CaughtMail
from tasuki.mail.catching.repository import CaughtMailRepository

MOST_KEPT = 2_000
"""Mails. It is an inbox for looking into, and must not fill a developer's disk."""

_MOST_SUBJECT = 500  # characters
_MOST_ADDRESS = 1_000


class Catcher:
    """Keeps what comes in, each mail in a transaction of its own.

    Args:
        most: The newest mails that are kept.
    """

    def __init__(self, database: Database, *, most: int = MOST_KEPT) -> None:
        self._database = database
        self._mails = CaughtMailRepository()
        self._most = most

    async def keep(self, *, sender: str, recipients: Sequence[str], content: bytes) -> UUID:
        """Keep a mail, and return its id once it is committed.

        Raises:
            Unavailable: The database does not answer, or its disk is full.
        """
        mail_id = new_id()
        async with self._database.unit_of_work() as session:
            await self._mails.add(
                session,
                mail_id,
                sender=printable(sender)[:_MOST_ADDRESS],
                recipients=[printable(one)[:_MOST_ADDRESS] for one in recipients],
                subject=read_subject(content)[:_MOST_SUBJECT],
                content=content,
            )
            await self._mails.keep_newest(session, self._most)
        return mail_id


class CaughtMailService:
    """Shows what was caught; who may see it is the caller's to know.

    Args:
        is_on: Whether mail is caught here; if not, there is nothing of this.
    """

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on
        self._mails = CaughtMailRepository()

    async def page(
        self, session: Session, *, recipient: str, before: UUID | None, limit: int
    ) -> list[CaughtMail]:
        """Return mails, the newest first.

        Raises:
            NotFound: Mail is not caught here.
        """
        self._check()
        return await self._mails.page(session, recipient=recipient, before=before, limit=limit)

    async def get(self, session: Session, mail_id: UUID) -> tuple[CaughtMail, bytes]:
        """Return a mail and its whole message.

        Raises:
            NotFound: There is none, or mail is not caught here.
        """
        self._check()
        found = await self._mails.find(session, mail_id)
        if found is None:
            raise NotFound(f"No mail {mail_id} was caught, or it is no longer kept.")
        return found

    async def clear(self, session: Session) -> None:
        """Delete all mails.

        Raises:
            NotFound: Mail is not caught here.
        """
        self._check()
        await self._mails.clear(session)

    def _check(self) -> None:
        if not self._is_on:
            raise NotFound(
                "Mails are not caught here. `tasuki up` catches them where TASUKI_MAIL__HOST is "
                "not set."
            )
