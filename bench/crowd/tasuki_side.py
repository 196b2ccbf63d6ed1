"""Tasuki's web process as it is, with a socket of its own and a way to have it publish."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.crowd.channel import CHANNEL
from bench.crowd.peers import announce
from bench.crowd.publishing import publish

from tasuki import Tasuki
from tasuki.core.registry import Registry
from tasuki.realtime.sockets import add_sockets
from tasuki.web.principal import Principal
from tasuki.web.server import listen, serve
from tasuki.wiring.settings import load_settings
from tasuki.wiring.web import create_app


class CrowdSession:
    """See `tasuki.realtime.sockets.SocketSession`."""

    channels = (CHANNEL,)
    types = frozenset({"tick"})

    async def entered(self) -> None:
        """See `SocketSession.entered`."""

    async def received(self, message: dict[str, Any]) -> dict[str, Any]:
        """Answer the greeting: this socket hears everything from now on."""
        return {"type": "welcome", **message}

    async def left(self) -> None:
        """See `SocketSession.left`."""


async def _open(_user: Principal, _where: Mapping[str, Any], _services: Registry) -> CrowdSession:
    return CrowdSession()


def main(ready: Path) -> None:
    settings = load_settings()
    tasuki = Tasuki(settings)
    app = create_app(tasuki)
    add_sockets(app.router, "/ws/crowd", _open)

    @app.post("/publish")
    async def order(count: int, together: int, first: int) -> float:
        return await publish(tasuki, count=count, together=together, first=first)

    with listen(settings.web) as listener:
        port = listener.getsockname()[1]
        serve(
            app,
            listener,
            settings.web,
            on_ready=lambda: announce(ready, port),
            on_leave=tasuki.leave,
            on_stop=tasuki.stop_streams,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
