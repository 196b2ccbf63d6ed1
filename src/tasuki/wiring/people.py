"""Whose users they are: Tasuki's own accounts, or those of the application it is part of."""

from datetime import datetime
from typing import Protocol

from tasuki.accounts import (
    AccountsAuthenticator,
    AccountsSettings,
    LoginLimits,
    LoginService,
    Passwords,
    SessionService,
    TokenService,
    UserNotFound,
    UserService,
)
from tasuki.accounts.rules import SCOPES
from tasuki.accounts.tickets import TicketService
from tasuki.activity import ActivityService
from tasuki.core.database import Database, Session
from tasuki.core.datasets import Datasets
from tasuki.core.errors import Forbidden
from tasuki.core.notices import Notices
from tasuki.core.registry import Registry
from tasuki.exports.tasks import Rights
from tasuki.mail.service import VerifiedAddresses
from tasuki.mail.verifying.service import OwnAddress, OwnAddresses
from tasuki.notifications.service import Recipients
from tasuki.reports.service import People, Person
from tasuki.web.principal import Authenticator, Principal
from tasuki.web.settings import WebSettings
from tasuki.wiring.settings import Settings


class Identity(Protocol):
    """Adds the services that know users."""

    def add_services(self, registry: Registry) -> None:
        """Add at least `People`, `Recipients` and `Rights`; the ground is there already."""
        ...


class OwnAccounts:
    """Users of Tasuki's own.

    Args:
        are_all: False where the application may have others, as in a worker, which is not told.
    """

    def __init__(self, settings: Settings, *, are_all: bool = True) -> None:
        self._settings = settings
        self._are_all = are_all

    def add_services(self, registry: Registry) -> None:
        """See `Identity.add_services`."""
        settings = registry.add(AccountsSettings, self._settings.accounts)
        database, notices = registry.get(Database), registry.get(Notices)
        passwords = registry.add(Passwords, Passwords())
        limits = registry.add(LoginLimits, LoginLimits(database=database, settings=settings))
        sessions = registry.add(SessionService, SessionService(settings=settings, notices=notices))
        tokens = registry.add(TokenService, TokenService(notices=notices))
        users = registry.add(
            UserService,
            UserService(
                settings=settings,
                passwords=passwords,
                sessions=sessions,
                tokens=tokens,
                notices=notices,
                scopes=_scopes(registry.get(Datasets)),
            ),
        )
        registry.add(
            LoginService,
            LoginService(
                database=database,
                passwords=passwords,
                limits=limits,
                sessions=sessions,
                activity=registry.get(ActivityService),
            ),
        )
        registry.add(
            Authenticator,
            AccountsAuthenticator(
                database=database,
                settings=settings,
                web=registry.get(WebSettings),
                tickets=registry.add(TicketService, TicketService()),
            ),
        )
        self._add_people(registry, users)

    def _add_people(self, registry: Registry, users: UserService) -> None:
        registry.add(People, _AccountPeople(users))
        registry.add(Rights, _AccountRights(users, are_all=self._are_all))
        registry.add(Recipients, _Accounts(users) if self._are_all else _Anybody())
        addresses = _AccountAddresses(users)
        registry.add(OwnAddresses, addresses)
        registry.add(VerifiedAddresses, addresses if self._are_all else _NoAddresses())


class HostUsers:
    """Users of the application that installed Tasuki; it knows them by number only."""

    def add_services(self, registry: Registry) -> None:
        """See `Identity.add_services`."""
        registry.add(People, _NumberedPeople())
        registry.add(Rights, _RightsUnknown())
        registry.add(Recipients, _Anybody())
        registry.add(VerifiedAddresses, _NoAddresses())


class ActivityAuditor:
    """Writes what admins do with other people's things into the activity log."""

    def __init__(self, activity: ActivityService) -> None:
        self._activity = activity

    async def note(self, session: Session, admin: Principal, deed: str, target: str) -> None:
        """See `Auditor.note`."""
        await self._activity.record(
            session, user_id=admin.id, kind=f"admin.{deed}", data={"target": target}
        )


def _scopes(datasets: Datasets) -> tuple[str, ...]:
    """Return the scopes that a user may be given: those of datasets are as good as ours."""
    return tuple(dict.fromkeys([*SCOPES, *(one.scope for one in datasets if one.scope)]))


class _AccountPeople:
    def __init__(self, users: UserService) -> None:
        self._users = users

    async def person(self, session: Session, user_id: int) -> Person:
        user = await self._users.get(session, user_id)
        return Person(username=user.username, name=user.name)


class _NumberedPeople:
    async def person(self, session: Session, user_id: int) -> Person:
        del session
        return Person(username=f"user-{user_id}")


class _AccountRights:
    """Implements `Rights` by the accounts."""

    def __init__(self, users: UserService, *, are_all: bool) -> None:
        self._users = users
        self._are_all = are_all

    async def principal(self, session: Session, user_id: int) -> Principal | None:
        try:
            user = await self._users.get(session, user_id)
        except UserNotFound as exc:
            if not self._are_all:
                return None
            raise Forbidden(f"There is no user {user_id}.") from exc
        if user.disabled:
            raise Forbidden(f"{user.username} is disabled.")
        return Principal(
            id=user.id,
            username=user.username,
            name=user.name,
            is_admin=user.role == "admin",
            scopes=frozenset(user.scopes),
        )


class _RightsUnknown:
    """Implements `Rights` where only the application's requests tell what users may do."""

    async def principal(self, session: Session, user_id: int) -> Principal | None:
        del session, user_id
        return None


class _Accounts:
    """Implements `Recipients` where all users are Tasuki's own."""

    def __init__(self, users: UserService) -> None:
        self._users = users

    async def joined_at(self, session: Session, user_id: int) -> datetime | None:
        return (await self._users.get(session, user_id)).created_at


class _Anybody:
    """Implements `Recipients` where users may be somebody else's, known by number only."""

    async def joined_at(self, session: Session, user_id: int) -> datetime | None:
        del session, user_id
        return None


class _AccountAddresses:
    """Implements `OwnAddresses` and `VerifiedAddresses` by the accounts."""

    def __init__(self, users: UserService) -> None:
        self._users = users

    async def own_address(self, session: Session, user_id: int) -> OwnAddress:
        user = await self._users.get(session, user_id)
        return OwnAddress(
            address=user.email, is_verified=user.email_verified, name=user.name or user.username
        )

    async def note_verified(self, session: Session, user_id: int, address: str) -> bool:
        return await self._users.note_email_verified(session, user_id, address)

    async def verified_address(self, session: Session, user_id: int) -> str | None:
        user = await self._users.get(session, user_id)
        return user.email if user.email_verified else None


class _NoAddresses:
    """Implements `VerifiedAddresses` where the application alone knows addresses."""

    async def verified_address(self, session: Session, user_id: int) -> str | None:
        del session, user_id
        return None
