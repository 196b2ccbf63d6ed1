"""A web process of accounts alone, in this process, and browsers that call it."""

from contextlib import AsyncExitStack

import httpx
from fastapi import FastAPI

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
from tasuki.accounts.records import Role
from tasuki.accounts.router import router
from tasuki.accounts.tickets import TicketService
from tasuki.activity import ActivityService
from tasuki.core.database import Database
from tasuki.core.notices import MemoryNotices
from tasuki.core.registry import Registry
from tasuki.web.principal import Authenticator
from tasuki.web.settings import WebSettings

PASSWORD = "correct horse battery"
"""What every user signs in with unless a test says otherwise."""


class CountingPasswords(Passwords):
    """Real ones that count their checks."""

    def __init__(self) -> None:
        super().__init__()
        self.checks = 0

    def _check(self, password_hash: str, password: str) -> bool:
        self.checks += 1
        return super()._check(password_hash, password)


class ListeningNotices(MemoryNotices):
    """Real ones that remember what was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def send(self, *keys: str) -> None:
        """See `Notices.send`."""
        self.sent += keys
        super().send(*keys)


class Site:
    """One web process: the services on the database, and browsers that call them."""

    def __init__(
        self,
        database: Database,
        *,
        settings: AccountsSettings | None = None,
        public_url: str | None = None,
    ) -> None:
        self.database = database
        self.settings = settings or AccountsSettings()
        self.passwords = CountingPasswords()
        self.notices = ListeningNotices()
        self._clients = AsyncExitStack()
        self._url = public_url or "http://tasuki.example"
        self.sessions = sessions = SessionService(settings=self.settings, notices=self.notices)
        self.tokens = tokens = TokenService(notices=self.notices)
        self.users = UserService(
            settings=self.settings,
            passwords=self.passwords,
            sessions=sessions,
            tokens=tokens,
            notices=self.notices,
        )
        self.limits = LoginLimits(database=database, settings=self.settings)
        self.login = LoginService(
            database=database,
            passwords=self.passwords,
            limits=self.limits,
            sessions=sessions,
            activity=ActivityService(),
        )
        self.services = services = Registry()
        services.add(Database, database)
        services.add(WebSettings, WebSettings(public_url=public_url))
        services.add(AccountsSettings, self.settings)
        services.add(SessionService, sessions)
        services.add(TokenService, tokens)
        tickets = services.add(TicketService, TicketService())
        services.add(UserService, self.users)
        services.add(LoginService, self.login)
        services.add(LoginLimits, self.limits)
        services.add(
            Authenticator,
            AccountsAuthenticator(
                database=database,
                settings=self.settings,
                web=services.get(WebSettings),
                tickets=tickets,
            ),
        )
        self._app = FastAPI()
        self._app.state.tasuki = services
        self._app.include_router(router, prefix="/api/v1")

    async def add(
        self, username: str, *, role: Role = "user", password: str | None = PASSWORD
    ) -> int:
        async with self.database.unit_of_work() as session:
            user = await self.users.create(
                session,
                username=username,
                email=f"{username}@example.org",
                password=password,
                role=role,
            )
        return user.id

    def browser(
        self, *, address: str = "192.0.2.1", token: str | None = None
    ) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self._app, client=(address, 1234))
        client = httpx.AsyncClient(transport=transport, base_url=f"{self._url}/api/v1")
        if token is not None:
            client.headers["Authorization"] = f"Bearer {token}"
        self._clients.push_async_callback(client.aclose)
        return client

    async def signed_in(self, username: str, password: str = PASSWORD) -> httpx.AsyncClient:
        """Open a browser in which a user is signed in."""
        browser = self.browser()
        answer = await sign_in(browser, username, password)
        assert answer.status_code == 200, answer.text
        return browser

    async def close(self) -> None:
        """Close all browsers."""
        await self._clients.aclose()
        self.passwords.close()


async def sign_in(
    browser: httpx.AsyncClient, username: str, password: str = PASSWORD
) -> httpx.Response:
    """Send the sign-in form."""
    return await browser.post("/auth/login", json={"username": username, "password": password})


def outcome(answer: httpx.Response) -> tuple[int, str]:
    """Return what a client looks at of a refusal."""
    return answer.status_code, answer.json()["code"]
