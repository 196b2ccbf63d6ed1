"""Decides who may have an account, and what an admin may change about it."""

from collections.abc import Iterable
from typing import Any

from tasuki.accounts.errors import LastAdmin, UserExists, UserNotFound
from tasuki.accounts.passwords import Passwords
from tasuki.accounts.records import Role, User, user_key
from tasuki.accounts.repository import UserRepository
from tasuki.accounts.rules import (
    SCOPES,
    check_email,
    check_name,
    check_new_password,
    check_scopes,
    check_username,
    find_username,
)
from tasuki.accounts.sessions import SessionService
from tasuki.accounts.settings import AccountsSettings
from tasuki.accounts.tokens import TokenService
from tasuki.core.database import Session, after_commit
from tasuki.core.ids import new_secret
from tasuki.core.notices import Notices

ADMIN_USERNAME = "admin"
_ADMIN_EMAIL = "admin@localhost"  # the operator's own address is not known on a first start


class UserService:
    """Keeps users, each call within the caller's transaction.

    Args:
        scopes: Scopes with a fixed name that a user may be given; ``task:NAME`` comes on top.
    """

    def __init__(
        self,
        *,
        settings: AccountsSettings,
        passwords: Passwords,
        sessions: SessionService,
        tokens: TokenService,
        notices: Notices,
        scopes: Iterable[str] = SCOPES,
        repository: UserRepository | None = None,
    ) -> None:
        self._settings = settings
        self._passwords = passwords
        self._sessions = sessions
        self._tokens = tokens
        self._notices = notices
        self._scopes = tuple(scopes)
        self._users = repository or UserRepository()

    async def create(
        self,
        session: Session,
        *,
        username: str,
        email: str,
        password: str | None = None,
        name: str = "",
        role: Role = "user",
        scopes: Iterable[str] = (),
        email_verified: bool = False,
    ) -> User:
        """Add a user.

        Args:
            email_verified: Whether it is known already that they read the address.
            password: Without one they cannot sign in until it is set.

        Raises:
            ValidationFailed: A value is not acceptable.
            UserExists: The username is taken.
        """
        values: dict[str, Any] = {
            "username": check_username(username),
            "email": check_email(email),
            "email_verified": email_verified,
            "name": check_name(name),
            "role": role,
            "scopes": check_scopes(scopes, known=self._scopes),
        }
        if password is not None:
            check_new_password(password, username=values["username"])
            values["password_hash"] = await self._passwords.hash(password)
        user = await self._users.add(session, values)
        if user is None:
            raise UserExists(values["username"])
        return user

    async def get(self, session: Session, user_id: int) -> User:
        """Return a user.

        Raises:
            UserNotFound: There is none of this id.
        """
        user = await self._users.find(session, user_id)
        if user is None:
            raise UserNotFound(user_id)
        return user

    async def get_by_username(self, session: Session, username: str) -> User:
        """Return the user of this name; case makes no difference.

        Raises:
            UserNotFound: There is none.
        """
        name = find_username(username)
        user = await self._users.find_by_username(session, name) if name else None
        if user is None:
            raise UserNotFound(username)
        return user

    async def page(self, session: Session, *, after: int, limit: int) -> list[User]:
        """Return users in the order of their ids, from the one after."""
        return await self._users.page(session, after=after, limit=limit)

    async def change(
        self,
        session: Session,
        user_id: int,
        *,
        email: str | None = None,
        email_verified: bool | None = None,
        name: str | None = None,
        role: Role | None = None,
        scopes: Iterable[str] | None = None,
        disabled: bool | None = None,
    ) -> User:
        """Change what is given and leave the rest. Another address is to be verified anew.

        Disabling ends all sessions and tokens at once and for good: whoever is enabled
        again signs in anew and makes new tokens.

        Raises:
            ValidationFailed: A value is not acceptable.
            UserNotFound: There is none of this id.
            LastAdmin: Nobody would be left to administer the system.
        """
        values = self._checked(email=email, name=name, role=role, scopes=scopes, disabled=disabled)
        if email_verified is not None:
            values["email_verified"] = email_verified
        if not values:
            return await self.get(session, user_id)
        if role == "user" or disabled:
            await self._keep_an_admin(session, user_id)
        user = await self._users.change(session, user_id, values)
        if user is None:
            raise UserNotFound(user_id)
        if disabled:
            await self._sessions.end_all(session, user_id)
            await self._tokens.delete_all(session, user_id)
        after_commit(session, lambda: self._notices.send(user_key(user_id)))
        return user

    async def note_email_verified(self, session: Session, user_id: int, email: str) -> bool:
        """Note that a user reads an address; return False if it is not theirs any more."""
        return await self._users.verify_email(session, user_id, email)

    async def set_password(self, session: Session, user_id: int, password: str) -> None:
        """Give a user a new password without asking for the old; all their sessions end.

        Raises:
            ValidationFailed: The password is not acceptable.
            UserNotFound: There is none of this id.
        """
        user = await self.get(session, user_id)
        check_new_password(password, username=user.username)
        values = {"password_hash": await self._passwords.hash(password)}
        await self._users.change(session, user_id, values)
        await self._sessions.end_all(session, user_id)

    async def ensure_admin(self, session: Session) -> str | None:
        """Make the first admin if there is no user yet.

        Any number of processes may call it at once; one makes the admin.

        Returns:
            The random password, to be shown once; nothing when the settings gave one, or
            when there was somebody already.

        Raises:
            ValidationFailed: The password of the settings is not acceptable.
        """
        await self._users.hold_setup(session)
        if not await self._users.is_empty(session):
            return None
        given = self._settings.admin_password
        password = given.get_secret_value() if given is not None else new_secret()
        await self.create(
            session, username=ADMIN_USERNAME, email=_ADMIN_EMAIL, password=password, role="admin"
        )
        return password if given is None else None

    def _checked(
        self,
        *,
        email: str | None,
        name: str | None,
        role: Role | None,
        scopes: Iterable[str] | None,
        disabled: bool | None,
    ) -> dict[str, Any]:
        """Return what is given, in the form it is stored in."""
        values = {
            "email": None if email is None else check_email(email),
            "name": None if name is None else check_name(name),
            "role": role,
            "scopes": None if scopes is None else check_scopes(scopes, known=self._scopes),
            "disabled": disabled,
        }
        return {field: value for field, value in values.items() if value is not None}

    async def _keep_an_admin(self, session: Session, user_id: int) -> None:
        # Held until the end: two admins who demote each other at once wait for each other.
        if await self._users.hold_admins(session) == [user_id]:
            raise LastAdmin
