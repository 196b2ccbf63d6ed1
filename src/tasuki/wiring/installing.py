"""Puts Tasuki into a FastAPI application; what `Tasuki.install` does."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware import base

from tasuki.api import v1
from tasuki.core.logging import get_logger
from tasuki.core.registry import Registry
from tasuki.mail.suppressions.pages import router as unsubscribe_pages
from tasuki.web.depends import current_user as our_current_user
from tasuki.web.principal import Principal
from tasuki.wiring.people import HostUsers, Identity, OwnAccounts
from tasuki.wiring.settings import Settings

log = get_logger(__name__)


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
        _warn_of_hidden_breaks(app)
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


def _warn_of_hidden_breaks(app: FastAPI) -> None:
    """Name the middlewares that end a response cleanly whose rows broke off.

    Starlette's base class does so, ``@app.middleware("http")`` as well; middlewares of anybody
    who mounts this application elsewhere cannot be seen from here.
    """
    for one in app.user_middleware:
        if isinstance(one.cls, type) and issubclass(one.cls, base.BaseHTTPMiddleware):
            its_own = one.kwargs.get("dispatch", one.cls)
            log.warning(
                "middleware_hides_broken_downloads",
                middleware=getattr(its_own, "__qualname__", repr(its_own)),
                instead="write it as pure ASGI: a broken export passes through it as a whole one",
            )
