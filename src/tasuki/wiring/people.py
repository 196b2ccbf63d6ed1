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
    UserService,
)
from tasuki.accounts.tickets import TicketService
from tasuki.activity import ActivityService
from tasuki.core.database import Database, Session
from tasuki.core.notices import Notices
from tasuki.core.registry import Registry
from tasuki.notifications.service import Recipients
from tasuki.reports.service import People, Person
from tasuki.web.principal import Authenticator, Principal
from tasuki.web.settings import WebSettings
from tasuki.wiring.settings import Settings


class Identity(Protocol):
    """Adds the services that know users."""

    def add_services(self, registry: Registry) -> None:
        """Add at least `People` and `Recipients`; the ground's services are there already."""
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
        tickets = registry.add(TicketService, TicketService())
        users = registry.add(
            UserService,
            UserService(
                settings=settings,
                passwords=passwords,
                sessions=sessions,
                tokens=tokens,
                notices=notices,
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
                tickets=tickets,
            ),
        )
        registry.add(People, _AccountPeople(users))
        registry.add(Recipients, _Accounts(users) if self._are_all else _Anybody())


class HostUsers:
    """Users of the application that installed Tasuki; it knows them by number only."""

    def add_services(self, registry: Registry) -> None:
        """See `Identity.add_services`."""
        registry.add(People, _NumberedPeople())
        registry.add(Recipients, _Anybody())


class ActivityAuditor:
    """Writes what admins do with other people's things into the activity log."""

    def __init__(self, activity: ActivityService) -> None:
        self._activity = activity

    async def note(self, session: Session, admin: Principal, deed: str, target: str) -> None:
        """See `Auditor.note`."""
        await self._activity.record(
            session, user_id=admin.id, kind=f"admin.{deed}", data={"target": target}
        )


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
