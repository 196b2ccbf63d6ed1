"""SQL for users, sessions and tokens. All times are the database's."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, delete, func, null, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from tasuki.accounts.models import ApiTokenRow, SessionRow, UserRow
from tasuki.accounts.records import Caller, Credentials, SessionRecord, TokenRecord, User
from tasuki.core.database import Session

SETUP_LOCK = 0x7A5B_1D5E
"""Advisory lock of who fills an empty system: the first admin, the demo. Any number does."""

_NOTED_EVERY = timedelta(minutes=1)  # a write per request would cost more than the request

_USER = (
    UserRow.id,
    UserRow.username,
    UserRow.name,
    UserRow.email,
    UserRow.email_verified_at,
    UserRow.role,
    UserRow.scopes,
    UserRow.disabled_at,
    UserRow.created_at,
)


class UserRepository:
    """Reads and writes users within somebody's unit of work."""

    async def add(self, session: Session, values: dict[str, Any]) -> User | None:
        """Insert a user; nothing when the username is taken.

        ``email_verified`` stands for the moment of it, as in `change`.
        """
        columns = dict(values)
        if columns.pop("email_verified", False):
            columns["email_verified_at"] = func.now()
        added = await session.execute(
            insert(UserRow).values(**columns).on_conflict_do_nothing().returning(*_USER)
        )
        return _user(added.first())

    async def find(self, session: Session, user_id: int) -> User | None:
        """Return a user."""
        found = await session.execute(select(*_USER).where(UserRow.id == user_id))
        return _user(found.first())

    async def find_by_username(self, session: Session, username: str) -> User | None:
        """Return the user of this name, in upper or lower case."""
        found = await session.execute(select(*_USER).where(_is_named(username)))
        return _user(found.first())

    async def page(self, session: Session, *, after: int, limit: int) -> list[User]:
        """Return users in the order of their ids, from the one after."""
        found = await session.execute(
            select(*_USER).where(UserRow.id > after).order_by(UserRow.id).limit(limit)
        )
        return [user for row in found if (user := _user(row))]

    async def credentials(
        self, session: Session, *, username: str | None = None, user_id: int | None = None
    ) -> Credentials | None:
        """Return what the sign-in of this user is checked against."""
        is_meant = UserRow.id == user_id if username is None else _is_named(username)
        found = await session.execute(
            select(UserRow.id, UserRow.username, UserRow.password_hash, UserRow.disabled_at).where(
                is_meant
            )
        )
        row = found.first()
        if row is None:
            return None
        return Credentials(
            user_id=row.id,
            username=row.username,
            password_hash=row.password_hash,
            disabled=row.disabled_at is not None,
        )

    async def hold_enabled(
        self, session: Session, user_id: int, *, password_hash: str | None = None
    ) -> User | None:
        """Return a user who is enabled, kept so until the unit of work ends.

        Args:
            password_hash: Only if this is still their password.
        """
        query = (
            select(*_USER)
            .where(UserRow.id == user_id, UserRow.disabled_at.is_(None))
            .with_for_update(key_share=True)
        )
        if password_hash is not None:
            query = query.where(UserRow.password_hash == password_hash)
        return _user((await session.execute(query)).first())

    async def hold_admins(self, session: Session) -> list[int]:
        """Return the ids of the enabled admins, kept so until the unit of work ends."""
        found = await session.scalars(
            select(UserRow.id)
            .where(UserRow.role == "admin", UserRow.disabled_at.is_(None))
            .order_by(UserRow.id)
            .with_for_update(key_share=True)
        )
        return list(found)

    async def change(self, session: Session, user_id: int, values: dict[str, Any]) -> User | None:
        """Set columns of a user.

        ``disabled`` and ``email_verified``, true or false, stand for the moment of it. Another
        address is not verified.
        """
        columns = dict(values)
        disabled = columns.pop("disabled", None)
        if disabled is not None:
            columns["disabled_at"] = (
                func.coalesce(UserRow.disabled_at, func.now()) if disabled else None
            )
        verified_at = _verified_at(columns.get("email"), columns.pop("email_verified", None))
        if verified_at is not None:
            columns["email_verified_at"] = verified_at
        changed = await session.execute(
            update(UserRow).where(UserRow.id == user_id).values(**columns).returning(*_USER)
        )
        return _user(changed.first())

    async def verify_email(self, session: Session, user_id: int, email: str) -> bool:
        """Note that a user reads an address; return False if it is not that of an enabled one."""
        noted = await session.execute(
            update(UserRow)
            .where(UserRow.id == user_id, UserRow.email == email, UserRow.disabled_at.is_(None))
            .values(email_verified_at=func.coalesce(UserRow.email_verified_at, func.now()))
            .returning(UserRow.id)
        )
        return noted.first() is not None

    async def hold_setup(self, session: Session) -> None:
        """Let nobody else fill an empty system until this unit of work ends."""
        await session.execute(select(func.pg_advisory_xact_lock(SETUP_LOCK)))

    async def is_empty(self, session: Session) -> bool:
        """Whether there is no user at all."""
        return (await session.execute(select(UserRow.id).limit(1))).first() is None


class SessionRepository:
    """Reads and writes sessions within somebody's unit of work."""

    async def add(self, session: Session, *, lifetime: timedelta, values: dict[str, Any]) -> None:
        """Insert a session that ends after its lifetime."""
        await session.execute(
            insert(SessionRow).values(**values, expires_at=func.now() + lifetime)
        )

    async def find_caller(
        self, session: Session, secret: bytes | UUID, *, idle: timedelta
    ) -> Caller | None:
        """Return who holds this session, if it and its user are still good; note the use.

        Args:
            secret: The hash of its secret, or its id.
        """
        column = SessionRow.id if isinstance(secret, UUID) else SessionRow.token_hash
        row = (
            await session.execute(
                select(*_CALLER, SessionRow.id, _is_stale(SessionRow.last_seen_at))
                .join(SessionRow, SessionRow.user_id == UserRow.id)
                .where(
                    column == secret,
                    _is_live(idle),
                    UserRow.disabled_at.is_(None),
                )
            )
        ).first()
        if row is not None and row.is_stale:
            await session.execute(
                update(SessionRow)
                .where(SessionRow.id == row.id, _is_stale(SessionRow.last_seen_at))
                .values(last_seen_at=func.now())
            )
        return _caller(row)

    async def of_user(
        self, session: Session, user_id: int, *, idle: timedelta
    ) -> list[SessionRecord]:
        """Return the sessions that are still good, newest first."""
        found = await session.execute(
            select(
                SessionRow.id,
                SessionRow.created_at,
                SessionRow.last_seen_at,
                SessionRow.expires_at,
                SessionRow.address,
                SessionRow.user_agent,
            )
            .where(SessionRow.user_id == user_id, _is_live(idle))
            .order_by(SessionRow.id.desc())
        )
        return [SessionRecord(**row._asdict()) for row in found]

    async def delete(
        self,
        session: Session,
        *,
        user_id: int,
        only: UUID | None = None,
        but: UUID | None = None,
    ) -> list[UUID]:
        """Delete sessions of a user: all, one, or all but one. Return which were there."""
        query = delete(SessionRow).where(SessionRow.user_id == user_id)
        if only is not None:
            query = query.where(SessionRow.id == only)
        if but is not None:
            query = query.where(SessionRow.id != but)
        return list(await session.scalars(query.returning(SessionRow.id)))

    async def delete_by_hash(self, session: Session, token_hash: bytes) -> list[UUID]:
        """Delete the session of this secret, whosever it is."""
        query = delete(SessionRow).where(SessionRow.token_hash == token_hash)
        return list(await session.scalars(query.returning(SessionRow.id)))

    async def delete_beyond(self, session: Session, user_id: int, *, keep: int) -> list[UUID]:
        """Delete all but the newest sessions of a user."""
        old = (
            select(SessionRow.id)
            .where(SessionRow.user_id == user_id)
            .order_by(SessionRow.id.desc())
            .offset(keep)
        )
        query = delete(SessionRow).where(SessionRow.id.in_(old))
        return list(await session.scalars(query.returning(SessionRow.id)))

    async def delete_ended(self, session: Session, *, idle: timedelta, limit: int) -> int:
        """Delete sessions that expired or were not used for long; return how many."""
        ended = (
            select(SessionRow.id)
            .where(
                or_(
                    SessionRow.expires_at <= func.now(),
                    SessionRow.last_seen_at <= func.now() - idle,
                )
            )
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        query = delete(SessionRow).where(SessionRow.id.in_(ended)).returning(SessionRow.id)
        return len(list(await session.scalars(query)))


class TokenRepository:
    """Reads and writes API tokens within somebody's unit of work."""

    async def add(self, session: Session, values: dict[str, Any]) -> None:
        """Insert a token."""
        await session.execute(insert(ApiTokenRow).values(**values))

    async def count(self, session: Session, user_id: int) -> int:
        """Return how many a user holds."""
        query = select(func.count()).where(ApiTokenRow.user_id == user_id)
        return int((await session.execute(query)).scalar_one())

    async def find_caller(self, session: Session, secret: bytes | UUID) -> Caller | None:
        """Return who holds this token, if the user is still good; note the use.

        Args:
            secret: The hash of the token, or its id.
        """
        column = ApiTokenRow.id if isinstance(secret, UUID) else ApiTokenRow.token_hash
        row = (
            await session.execute(
                select(*_CALLER, ApiTokenRow.id, _is_stale(ApiTokenRow.last_used_at))
                .join(ApiTokenRow, ApiTokenRow.user_id == UserRow.id)
                .where(column == secret, UserRow.disabled_at.is_(None))
            )
        ).first()
        if row is not None and row.is_stale:
            await session.execute(
                update(ApiTokenRow)
                .where(ApiTokenRow.id == row.id, _is_stale(ApiTokenRow.last_used_at))
                .values(last_used_at=func.now())
            )
        return _caller(row)

    async def of_user(self, session: Session, user_id: int) -> list[TokenRecord]:
        """Return a user's tokens, newest first."""
        found = await session.execute(
            select(
                ApiTokenRow.id,
                ApiTokenRow.name,
                ApiTokenRow.created_at,
                ApiTokenRow.last_used_at,
            )
            .where(ApiTokenRow.user_id == user_id)
            .order_by(ApiTokenRow.id.desc())
        )
        return [TokenRecord(**row._asdict()) for row in found]

    async def delete(
        self, session: Session, *, user_id: int, only: UUID | None = None
    ) -> list[UUID]:
        """Delete one token of a user, or all. Return which were there."""
        query = delete(ApiTokenRow).where(ApiTokenRow.user_id == user_id)
        if only is not None:
            query = query.where(ApiTokenRow.id == only)
        return list(await session.scalars(query.returning(ApiTokenRow.id)))


_CALLER = (
    UserRow.id.label("user_id"),
    UserRow.username,
    UserRow.name,
    UserRow.role,
    UserRow.scopes,
)


def _verified_at(email: str | None, verified: bool | None) -> Any:
    """Return since when the address is verified after a change; nothing: as before."""
    if verified is not None:
        return func.coalesce(UserRow.email_verified_at, func.now()) if verified else null()
    if email is not None:
        return case((UserRow.email == email, UserRow.email_verified_at), else_=null())
    return None


def _is_named(username: str) -> ColumnElement[bool]:
    return func.lower(UserRow.username) == func.lower(username)


def _is_live(idle: timedelta) -> ColumnElement[bool]:
    return (SessionRow.expires_at > func.now()) & (SessionRow.last_seen_at > func.now() - idle)


def _is_stale(noted: Any) -> Any:
    is_old: ColumnElement[bool] = func.coalesce(noted < func.now() - _NOTED_EVERY, text("true"))
    return is_old.label("is_stale")


def _user(row: Any) -> User | None:
    if row is None:
        return None
    return User(
        id=row.id,
        username=row.username,
        name=row.name,
        email=row.email,
        email_verified=row.email_verified_at is not None,
        role=row.role,
        scopes=tuple(row.scopes),
        disabled=row.disabled_at is not None,
        created_at=row.created_at,
    )


def _caller(row: Any) -> Caller | None:
    if row is None:
        return None
    return Caller(
        credential_id=row.id,
        user_id=row.user_id,
        username=row.username,
        name=row.name,
        role=row.role,
        scopes=tuple(row.scopes),
    )
