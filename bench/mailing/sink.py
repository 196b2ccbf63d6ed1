"""A mail system that wants TLS and a login, takes everything, and writes down to whom it came."""

import asyncio
import ssl
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult


class _Taking:
    def __init__(self, log: Any) -> None:
        self._log = log

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # the library's name
        self._log.write("".join(f"{one}\n" for one in envelope.rcpt_tos))
        self._log.flush()
        return "250 2.0.0 taken"


def _welcome(*_: Any) -> AuthResult:
    return AuthResult(success=True)


async def main(certificate: Path, ready: Path, log: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    with log.open("a") as lines:
        server = await loop.create_server(
            lambda: SMTP(
                _Taking(lines),
                hostname="localhost",
                tls_context=context,
                require_starttls=True,
                authenticator=_welcome,
                auth_required=True,
            ),
            "127.0.0.1",
            0,
        )
        port = server.sockets[0].getsockname()[1]
        await asyncio.to_thread(ready.write_text, str(port))
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*(Path(name) for name in sys.argv[1:4])))
