"""Decides whether a password opens a session, and how it is changed.

Hashing takes a tenth of a second and may wait for its turn, so no transaction is open
meanwhile; what was true before it is checked again after it.
"""

import unicodedata
from uuid import UUID

from tasuki.accounts.errors import UserNotFound
from tasuki.accounts.limits import LoginLimits
from tasuki.accounts.passwords import Passwords
from tasuki.accounts.records import Credentials, User
from tasuki.accounts.repository import UserRepository
from tasuki.accounts.rules import check_new_password, find_username
from tasuki.accounts.sessions import SessionService
from tasuki.activity import ActivityService
from tasuki.core.database import Database
from tasuki.core.errors import InvalidCredentials
from tasuki.core.logging import get_logger

log = get_logger(__name__)

_MOST_TYPED = 256  # characters of a typed name that tell two apart


class LoginService:
    """Signs users in and changes their passwords, in transactions of its own."""

    def __init__(
        self,
        *,
        database: Database,
        passwords: Passwords,
        limits: LoginLimits,
        sessions: SessionService,
        activity: ActivityService,
        repository: UserRepository | None = None,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._limits = limits
        self._sessions = sessions
        self._activity = activity
        self._users = repository or UserRepository()

    async def login(
        self,
        username: str,
        password: str,
        *,
        address: str | None,
        user_agent: str | None,
        replaces: str | None = None,
    ) -> tuple[User, str]:
        """Sign a user in and return them with the secret of a new session.

        An unknown name, a wrong password, a disabled user and one without a password get
        the same answer after the same time.

        Args:
            replaces: Secret of a session that the caller came with; it ends.

        Raises:
            InvalidCredentials: The sign-in is refused.
            RateLimited: Too many were refused lately.
            Unavailable: Too many sign in at this moment.
        """
        name = find_username(username)
        found = await self._credentials(username=name) if name else None
        async with self._limits.attempt(_account(found, username), address):
            known = await self._verified(found, password, address)
        new_hash = None
        if self._passwords.is_outdated(known.password_hash or ""):
            new_hash = await self._passwords.hash(password)
        async with self._database.unit_of_work() as session:
            user = await self._users.hold_enabled(
                session, known.user_id, password_hash=known.password_hash
            )
            if user is None:  # disabled, or the password changed, while it was checked
                raise InvalidCredentials
            if new_hash is not None:
                await self._users.change(session, user.id, {"password_hash": new_hash})
            if replaces is not None:
                await self._sessions.end_by_secret(session, replaces)
            secret = await self._sessions.begin(
                session, user.id, address=address, user_agent=user_agent
            )
            await self._activity.record(session, user_id=user.id, kind="login")
        log.info("signed_in", user_id=user.id, address=address)
        return user, secret

    async def change_password(
        self, user_id: int, *, old: str, new: str, address: str | None, keep: UUID | None
    ) -> None:
        """Change a user's password; all their sessions end but the one they call from.

        API tokens stay: they never depended on the password.

        Args:
            keep: The session that stays.

        Raises:
            ValidationFailed: The new one is not acceptable.
            InvalidCredentials: The old one is wrong; it counts as a wrong sign-in.
            RateLimited: Too many were wrong lately.
        """
        found = await self._credentials(user_id=user_id)
        if found is None:
            raise UserNotFound(user_id)
        check_new_password(new, username=found.username, field="new")
        async with self._limits.attempt(_account(found, found.username), address):
            known = await self._verified(found, old, address)
        new_hash = await self._passwords.hash(new)
        async with self._database.unit_of_work() as session:
            user = await self._users.hold_enabled(
                session, user_id, password_hash=known.password_hash
            )
            if user is None:
                raise InvalidCredentials
            await self._users.change(session, user_id, {"password_hash": new_hash})
            await self._sessions.end_all(session, user_id, but=keep)
        log.info("password_changed", user_id=user_id, address=address)

    async def _credentials(
        self, *, username: str | None = None, user_id: int | None = None
    ) -> Credentials | None:
        async with self._database.unit_of_work() as session:
            return await self._users.credentials(session, username=username, user_id=user_id)

    async def _verified(
        self, found: Credentials | None, password: str, address: str | None
    ) -> Credentials:
        """Return the credentials whose password this is.

        Raises:
            InvalidCredentials: It is nobody's.
        """
        password_hash = None if found is None or found.disabled else found.password_hash
        if not await self._passwords.verify(password, password_hash) or found is None:
            # The typed name is left out: people type their password into that field.
            log.warning("login_failed", user_id=found.user_id if found else None, address=address)
            raise InvalidCredentials
        return found


def _account(found: Credentials | None, typed: str) -> str:
    """Return what the limits know an account by: one word, however its name was typed."""
    if found is not None:
        return f"user {found.user_id}"
    return f"nobody {unicodedata.normalize('NFKC', typed[:_MOST_TYPED]).casefold()}"
