"""Decides how a session begins, who sees it, and how it ends.

A session is an opaque secret in a cookie; the table has its hash. Deleting the row ends it
in every process at once, and a notice tells open streams to look again.
"""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from tasuki.accounts.records import SessionRecord, credential_key, session_credential
from tasuki.accounts.repository import SessionRepository
from tasuki.accounts.settings import AccountsSettings
from tasuki.core.database import Session, after_commit
from tasuki.core.errors import NotFound
from tasuki.core.ids import fingerprint, new_id, new_secret
from tasuki.core.notices import Notices

MAX_SESSIONS = 100
"""Sessions a user may have; a new one beyond it ends the oldest."""
_MAX_AGENT = 300  # characters of a browser's name for itself
_MAX_ADDRESS = 64


class SessionService:
    """Begins, lists and ends sessions, each within the caller's transaction."""

    def __init__(
        self,
        *,
        settings: AccountsSettings,
        notices: Notices,
        repository: SessionRepository | None = None,
    ) -> None:
        self._lifetime = timedelta(seconds=settings.session_ttl_s)
        self._idle = timedelta(seconds=settings.session_idle_s)
        self._notices = notices
        self._sessions = repository or SessionRepository()

    async def begin(
        self, session: Session, user_id: int, *, address: str | None, user_agent: str | None
    ) -> str:
        """Begin a session and return its secret, which nobody can ask for again."""
        secret = new_secret()
        await self._sessions.add(
            session,
            lifetime=self._lifetime,
            values={
                "id": new_id(),
                "user_id": user_id,
                "token_hash": fingerprint(secret),
                "address": _shown(address, _MAX_ADDRESS),
                "user_agent": _shown(user_agent, _MAX_AGENT),
            },
        )
        over = await self._sessions.delete_beyond(session, user_id, keep=MAX_SESSIONS)
        self._tell(session, over)
        return secret

    async def of_user(self, session: Session, user_id: int) -> list[SessionRecord]:
        """Return a user's sessions that are still good, newest first."""
        return await self._sessions.of_user(session, user_id, idle=self._idle)

    async def end(self, session: Session, session_id: UUID, *, user_id: int) -> None:
        """End one session of a user.

        Raises:
            NotFound: There is none, or it is somebody else's; the two look alike.
        """
        ended = await self._sessions.delete(session, user_id=user_id, only=session_id)
        if not ended:
            raise NotFound(f"There is no session {session_id} of yours.")
        self._tell(session, ended)

    async def end_all(self, session: Session, user_id: int, *, but: UUID | None = None) -> None:
        """End all sessions of a user, or all but one."""
        self._tell(session, await self._sessions.delete(session, user_id=user_id, but=but))

    async def end_by_secret(self, session: Session, secret: str) -> None:
        """End the session that has this secret, if there is one."""
        self._tell(session, await self._sessions.delete_by_hash(session, fingerprint(secret)))

    async def delete_ended(self, session: Session, *, limit: int) -> int:
        """Delete up to so many sessions that are over; return how many."""
        return await self._sessions.delete_ended(session, idle=self._idle, limit=limit)

    def _tell(self, session: Session, ended: Iterable[UUID]) -> None:
        keys = [credential_key(session_credential(session_id)) for session_id in ended]
        if keys:
            after_commit(session, lambda: self._notices.send(*keys))


def _shown(text: str | None, most: int) -> str | None:
    """Return what a client says about itself, fit to be stored and shown."""
    if text is None:
        return None
    return "".join(char for char in text if char.isprintable())[:most] or None
