"""Puts Tasuki into a FastAPI application; what `Tasuki.install` does."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from fastapi import APIRouter, Depends, FastAPI

from tasuki.api import v1
from tasuki.core.registry import Registry
from tasuki.mail.suppressions.pages import router as unsubscribe_pages
from tasuki.web.depends import current_user as our_current_user
from tasuki.web.principal import Principal
from tasuki.wiring.people import HostUsers, Identity, OwnAccounts
from tasuki.wiring.settings import Settings


class Running(Protocol):
    """A Tasuki that runs."""

    @property
    def services(self) -> Registry:
        """See `Tasuki.services`."""
        ...


def install(
    app: FastAPI,
    settings: Settings,
    *,
    running: Callable[[Identity], AbstractAsyncContextManager[Running]],
    current_user: Callable[..., Any] | None,
) -> None:
    """See `Tasuki.install`.

    Args:
        running: Runs Tasuki with these users, for as long as the application lives.
    """
    identity: Identity = OwnAccounts(settings) if current_user is None else HostUsers()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with running(identity) as tasuki:
            app.state.tasuki = tasuki.services
            yield

    if current_user is not None:
        app.dependency_overrides[our_current_user] = _as_principal(current_user)
    # An included router brings its lifespan along.
    app.include_router(APIRouter(lifespan=lifespan))
    app.include_router(unsubscribe_pages)
    app.include_router(v1.build_router(with_accounts=current_user is None))


def _as_principal(current_user: Callable[..., Any]) -> Callable[..., Principal]:
    def principal(user: Any = Depends(current_user)) -> Principal:
        return Principal.of(user)

    return principal
