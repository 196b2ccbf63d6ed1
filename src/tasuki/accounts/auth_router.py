"""Signing in and out, one's own password, sessions and tokens over HTTP."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from tasuki.accounts.cookie import SessionCookie
from tasuki.accounts.login import LoginService
from tasuki.accounts.records import session_id_in
from tasuki.accounts.schemas import (
    LoginIn,
    NewToken,
    PasswordIn,
    SessionOut,
    TicketOut,
    TokenIn,
    TokenOut,
    UserOut,
)
from tasuki.accounts.sessions import SessionService
from tasuki.accounts.settings import AccountsSettings
from tasuki.accounts.tickets import TicketService
from tasuki.accounts.tokens import TokenService
from tasuki.accounts.users import UserService
from tasuki.core.errors import Forbidden
from tasuki.web.depends import CurrentUser, DbSession, provided
from tasuki.web.paging import Page
from tasuki.web.problem import ProblemRoute
from tasuki.web.settings import WebSettings

auth_router = APIRouter(prefix="/auth", tags=["auth"], route_class=ProblemRoute)

Logins = Annotated[LoginService, provided(LoginService)]
Sessions = Annotated[SessionService, provided(SessionService)]
Tickets = Annotated[TicketService, provided(TicketService)]
Tokens = Annotated[TokenService, provided(TokenService)]
Users = Annotated[UserService, provided(UserService)]


def _cookie(
    settings: Annotated[AccountsSettings, provided(AccountsSettings)],
    web: Annotated[WebSettings, provided(WebSettings)],
) -> SessionCookie:
    return SessionCookie(settings=settings, web=web)


Cookie = Annotated[SessionCookie, Depends(_cookie)]


@auth_router.post("/login")
async def login(
    request: Request, response: Response, body: LoginIn, logins: Logins, cookie: Cookie
) -> UserOut:
    """Sign in. The answer sets the session cookie; the session you came with ends."""
    user, secret = await logins.login(
        body.username,
        body.password.get_secret_value(),
        address=_address(request),
        user_agent=request.headers.get("user-agent"),
        replaces=cookie.read(request),
    )
    cookie.set(response, secret)
    return UserOut.of(user)


@auth_router.post("/logout", status_code=HTTPStatus.NO_CONTENT)
async def logout(
    user: CurrentUser, session: DbSession, sessions: Sessions, cookie: Cookie, response: Response
) -> None:
    """End this session."""
    session_id = session_id_in(user.credential)
    if session_id is None:
        raise Forbidden("A token has no session to end; delete it at /api/v1/auth/tokens.")
    await sessions.end(session, session_id, user_id=user.id)
    cookie.clear(response)


@auth_router.get("/me")
async def me(user: CurrentUser, session: DbSession, users: Users) -> UserOut:
    """Tell who you are and what you may do."""
    return UserOut.of(await users.get(session, user.id))


@auth_router.post("/password", status_code=HTTPStatus.NO_CONTENT)
async def change_password(
    user: CurrentUser, request: Request, body: PasswordIn, logins: Logins
) -> None:
    """Change your password. All your other sessions end; your tokens stay."""
    await logins.change_password(
        user.id,
        old=body.old.get_secret_value(),
        new=body.new.get_secret_value(),
        address=_address(request),
        keep=session_id_in(user.credential),
    )


@auth_router.get("/sessions")
async def list_sessions(
    user: CurrentUser, session: DbSession, sessions: Sessions
) -> Page[SessionOut]:
    """List where you are signed in, newest first."""
    current = session_id_in(user.credential)
    found = await sessions.of_user(session, user.id)
    shown = [SessionOut.of(record, current=record.id == current) for record in found]
    return Page(items=shown, next=None)


@auth_router.delete("/sessions/{session_id}", status_code=HTTPStatus.NO_CONTENT)
async def end_session(
    session_id: UUID, user: CurrentUser, session: DbSession, sessions: Sessions
) -> None:
    """Sign out one of your browsers."""
    await sessions.end(session, session_id, user_id=user.id)


@auth_router.get("/tokens")
async def list_tokens(user: CurrentUser, session: DbSession, tokens: Tokens) -> Page[TokenOut]:
    """List your API tokens, newest first, without their secrets."""
    found = await tokens.of_user(session, user.id)
    return Page(items=[TokenOut.model_validate(record) for record in found], next=None)


@auth_router.post("/tokens", status_code=HTTPStatus.CREATED)
async def create_token(
    body: TokenIn, user: CurrentUser, session: DbSession, tokens: Tokens
) -> NewToken:
    """Make an API token. It is shown this once."""
    token_id, token = await tokens.create(session, user.id, name=body.name)
    return NewToken(id=token_id, name=body.name.strip(), token=token)


@auth_router.delete("/tokens/{token_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_token(
    token_id: UUID, user: CurrentUser, session: DbSession, tokens: Tokens
) -> None:
    """Delete one of your API tokens; it stops to work at once."""
    await tokens.delete(session, token_id, user_id=user.id)


@auth_router.post("/ticket", status_code=HTTPStatus.CREATED)
async def create_ticket(user: CurrentUser, session: DbSession, tickets: Tickets) -> TicketOut:
    """Make a ticket: it opens one stream or socket as `?ticket=`, within 30 seconds.

    For clients that can send neither a header nor the cookie. What it opened ends with the
    session or token that it was made with.
    """
    ticket, expires_at = await tickets.create(session, user)
    return TicketOut(ticket=ticket, expires_at=expires_at)


def _address(request: Request) -> str | None:
    return request.client.host if request.client else None
