"""A mail system that takes everything and writes down to whom it came, a line each."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP


class _Taking:
    def __init__(self, log: Any) -> None:
        self._log = log

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # the library's name
        self._log.write("".join(f"{one}\n" for one in envelope.rcpt_tos))
        self._log.flush()
        return "250 2.0.0 taken"


async def main(ready: Path, log: Path) -> None:
    loop = asyncio.get_running_loop()
    with log.open("a") as lines:
        server = await loop.create_server(
            lambda: SMTP(_Taking(lines), hostname="sink.test", enable_SMTPUTF8=True),
            "127.0.0.1",
            0,
        )
        port = server.sockets[0].getsockname()[1]
        await asyncio.to_thread(ready.write_text, str(port))
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
