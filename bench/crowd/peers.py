"""How the peers are served: by uvicorn as it comes."""

import sys
from pathlib import Path
from typing import Any

import uvicorn


class _Server(uvicorn.Server):
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        announce(Path(sys.argv[1]), port)


def announce(ready: Path, port: int) -> None:
    """Write a port into a file that is there once all of it is."""
    half = ready.with_suffix(".half")
    half.write_text(str(port))
    half.rename(ready)


def serve(app: Any) -> None:
    """Serve an application on a free port and write it into the file that was named."""
    _Server(uvicorn.Config(app, port=0, log_level="warning")).run()
