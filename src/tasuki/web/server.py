"""The web server: uvicorn on a socket of our own, told to stop in the right order.

uvicorn never evicts a client that stops reading; the kernel does, through
``TCP_USER_TIMEOUT`` on the listening socket, which accepted connections inherit. Open event
streams would hold a stop up for ever, so they are told first. Streams are written to straight
away, see `wires`.
"""

import asyncio
import contextlib
import resource
import socket
import time
from collections.abc import Awaitable, Callable

import uvicorn
from starlette.types import ASGIApp

from tasuki.web.late import GoingOn
from tasuki.web.leaving import LastAnswers, let_nobody_in
from tasuki.web.settings import WebSettings
from tasuki.web.wires import MAX_MESSAGE_BYTES, FastHttp, FastWebSocket

_USER_TIMEOUT_MS = 20_000
_SEND_BUFFER_BYTES = 131_072
_LOOK_EVERY_S = 0.05  # for a second Ctrl-C


def allow_many_connections() -> None:
    """Let this process have as many open sockets as the system lets it: each takes a file.

    Systems set the soft limit to 1,024, for the sake of programs that use select(2).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # not all systems take "no limit at all"
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def listen(settings: WebSettings) -> socket.socket:
    """Return a listening socket with the limits that evict dead and stalled clients.

    Raises:
        OSError: The address is taken or not ours; the message names it.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as exc:
        listener.close()
        msg = f"cannot listen on {settings.host}:{settings.port}: {exc.strerror}"
        raise OSError(exc.errno, msg) from exc
    listener.listen(2048)
    return listener


class _Server(uvicorn.Server):
    """Uvicorn that announces the stop before it waits for open connections."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        delay_s: float,
        on_ready: Callable[[], None],
        on_leave: Callable[[], None],
        on_stop: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self._delay_s = delay_s
        self._on_ready = on_ready
        self._on_leave = on_leave
        self._on_stop = on_stop
        self.is_leaving = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.is_leaving = True
        self._on_leave()
        await self._linger()
        await self._on_stop()
        for listener in sockets or ():
            await let_nobody_in(listener)
        await super().shutdown(sockets)

    async def _linger(self) -> None:
        """Serve on for a while, unless somebody presses Ctrl-C again."""
        until = time.monotonic() + self._delay_s
        while not self.force_exit and time.monotonic() < until:  # noqa: ASYNC110  # no event tells
            await asyncio.sleep(_LOOK_EVERY_S)


def serve(
    app: ASGIApp,
    listener: socket.socket,
    settings: WebSettings,
    *,
    on_ready: Callable[[], None],
    on_leave: Callable[[], None],
    on_stop: Callable[[], Awaitable[None]],
) -> None:
    """Serve until SIGTERM or SIGINT, and then as long as it takes to be gone unnoticed.

    Args:
        on_ready: Called once, when the first request would be answered.
        on_leave: Called at the start of a stop: say that requests should go elsewhere.
        on_stop: Called before nobody is let in any more: open streams and sockets are to end.
    """
    server = _Server(
        server_config(LastAnswers(app, is_leaving=lambda: server.is_leaving), settings),
        delay_s=settings.drain_delay_s,
        on_ready=on_ready,
        on_leave=on_leave,
        on_stop=on_stop,
    )
    server.run(sockets=[listener])


def server_config(app: ASGIApp, settings: WebSettings) -> uvicorn.Config:
    """Return how uvicorn is to serve an application."""
    return uvicorn.Config(
        GoingOn(app),
        http=FastHttp,
        loop="uvloop",
        ws=FastWebSocket,
        ws_ping_interval=None,  # the connections have a pulse of their own
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=max(1, round(settings.drain_s) + 2),
        timeout_keep_alive=30,
    )
