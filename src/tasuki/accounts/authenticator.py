"""Finds out who is calling: by bearer token, by ticket, or by the session cookie."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from starlette.requests import HTTPConnection

from tasuki.accounts.cookie import SessionCookie
from tasuki.accounts.records import (
    Caller,
    session_credential,
    session_id_in,
    token_credential,
    token_id_in,
)
from tasuki.accounts.repository import SessionRepository, TokenRepository
from tasuki.accounts.settings import AccountsSettings
from tasuki.accounts.tickets import TicketService
from tasuki.accounts.tokens import TOKEN_PREFIX
from tasuki.core.database import Database
from tasuki.core.ids import fingerprint
from tasuki.web.principal import Principal
from tasuki.web.settings import WebSettings
from tasuki.web.tickets import ticket_of

_MAX_SECRET = 128  # ours have less than half of it


class AccountsAuthenticator:
    """The `Authenticator` for users of Tasuki's own.

    Every call asks the database, so an ended session, a deleted token or a disabled user is
    refused from the next request on.
    """

    def __init__(
        self,
        *,
        database: Database,
        settings: AccountsSettings,
        web: WebSettings,
        tickets: TicketService,
        sessions: SessionRepository | None = None,
        tokens: TokenRepository | None = None,
    ) -> None:
        self._database = database
        self._cookie = SessionCookie(settings=settings, web=web)
        self._idle = timedelta(seconds=settings.session_idle_s)
        self._tickets = tickets
        self._sessions = sessions or SessionRepository()
        self._tokens = tokens or TokenRepository()

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        """See `Authenticator.authenticate`.

        A request with an ``Authorization`` header is judged by that alone, also when it is
        malformed: the check against other sites trusts such a request not to use the cookie.
        Where a ticket is taken, one that is not good is likewise nobody.
        """
        header = connection.headers.get("authorization")
        if header is not None:
            return await self._by_token(header)
        ticket = ticket_of(connection)
        if ticket is not None:
            return await self._by_ticket(ticket)
        secret = self._cookie.read(connection)
        return None if secret is None else await self._by_session(secret)

    async def is_valid(self, user: Principal) -> bool:
        """See `Authenticator.is_valid`."""
        now = await self._by_credential(user.credential)
        return now is not None and now == user

    async def _by_credential(self, credential: str) -> Principal | None:
        session_id, token_id = session_id_in(credential), token_id_in(credential)
        async with self._database.unit_of_work() as session:
            if session_id is not None:
                caller = await self._sessions.find_caller(session, session_id, idle=self._idle)
                return _principal(caller, session_credential)
            if token_id is not None:
                return _principal(
                    await self._tokens.find_caller(session, token_id), token_credential
                )
        return None

    async def _by_token(self, header: str) -> Principal | None:
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token.startswith(TOKEN_PREFIX):
            return None
        if len(token) > _MAX_SECRET:
            return None
        async with self._database.unit_of_work() as session:
            caller = await self._tokens.find_caller(session, fingerprint(token))
        return _principal(caller, token_credential)

    async def _by_ticket(self, ticket: str) -> Principal | None:
        async with self._database.unit_of_work() as session:
            credential = await self._tickets.take(session, ticket)
        # Used up by now, also if its session has ended.
        return None if credential is None else await self._by_credential(credential)

    async def _by_session(self, secret: str) -> Principal | None:
        if len(secret) > _MAX_SECRET:
            return None
        async with self._database.unit_of_work() as session:
            caller = await self._sessions.find_caller(
                session, fingerprint(secret), idle=self._idle
            )
        return _principal(caller, session_credential)


def _principal(caller: Caller | None, name_of: Callable[[UUID], str]) -> Principal | None:
    if caller is None:
        return None
    return Principal(
        id=caller.user_id,
        username=caller.username,
        name=caller.name,
        is_admin=caller.role == "admin",
        scopes=frozenset(caller.scopes),
        credential=name_of(caller.credential_id),
    )
