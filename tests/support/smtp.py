"""A mail system that does what a test says, at any stage of a conversation."""

import asyncio
import ssl
import warnings
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

RESET, SILENT, LOST = "reset", "silent", "lost"
"""What a stage may do instead of an answer: cut the connection, say nothing, or take the message
and cut the connection before saying so."""


@dataclass
class Sink:
    """What it was given, and what it is to do.

    Attributes:
        script: By stage (connect, EHLO, MAIL, RCPT, DATA, dot): an answer, or one of the above.
            A list is used up, one for each time.
        taken: The messages it has accepted, whoever heard of it.
        hold_at: With so many recipients it lets all others wait, until `go_on`.
        contents: The same as they came.
    """

    port: int = 0
    script: dict[str, str | list[str]] = field(default_factory=dict)
    taken: list[EmailMessage] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    connections: int = 0
    seen: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    users: dict[str, str] = field(default_factory=dict)
    open: set[Any] = field(default_factory=set)
    hold_at: int | None = None
    _going: asyncio.Event = field(default_factory=asyncio.Event)

    async def admit(self) -> None:
        """Return when another recipient may be written to."""
        if self.hold_at is not None and len(self.recipients) >= self.hold_at:
            await self._going.wait()

    def go_on(self) -> None:
        """Let those go on that wait, and hold no more."""
        self.hold_at = None
        self._going.set()

    def hang_up(self) -> None:
        """Close the connections there are, as a mail system does with those that are idle."""
        for transport in self.open:
            transport.close()
        self.open.clear()

    def next(self, stage: str) -> str | None:
        """Return what is to happen now at a stage."""
        self.seen[stage] += 1
        wanted = self.script.get(stage)
        if isinstance(wanted, list):
            return wanted.pop(0) if wanted else None
        return wanted


class _Handler:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def handle_EHLO(  # noqa: N802  # the library's name
        self,
        server: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        answers: list[str],
    ) -> list[str]:
        said = await self._do(server, "EHLO")
        session.host_name = hostname
        return [said] if said else answers

    async def handle_MAIL(  # noqa: N802  # the library's name
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        said = await self._do(server, "MAIL")
        if said is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return said or "250 OK"

    async def handle_RCPT(  # noqa: N802  # the library's name
        self,
        server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        await self._sink.admit()
        said = await self._do(server, "RCPT")
        if said is None:
            envelope.rcpt_tos.append(address)
        return said or "250 OK"

    async def handle_DATA(  # noqa: N802  # the library's name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        wanted = self._sink.next("dot")
        if wanted in {None, LOST}:
            content = cast(bytes, envelope.original_content)
            message = message_from_bytes(content, policy=policy.default)
            self._sink.taken.append(message)
            self._sink.contents.append(content)
            self._sink.recipients += envelope.rcpt_tos
        return await _act(server, RESET if wanted == LOST else wanted) or "250 2.0.0 taken"

    async def handle_QUIT(  # noqa: N802  # the library's name
        self, _server: SMTP, _session: Session, _envelope: Envelope
    ) -> str:
        self._sink.seen["QUIT"] += 1
        return "221 bye"

    async def _do(self, server: SMTP, stage: str) -> str | None:
        return await _act(server, self._sink.next(stage))


async def _act(server: SMTP, wanted: str | None) -> str | None:
    if wanted == RESET:
        cast(Any, server.transport).abort()
        await asyncio.sleep(0)
        return "421 gone"
    if wanted == SILENT:
        await asyncio.Event().wait()
    return wanted


class _Server(SMTP):
    def __init__(self, sink: Sink, **options: Any) -> None:
        super().__init__(_Handler(sink), hostname="sink.test", **options)
        self._sink = sink

    def connection_made(self, transport: Any) -> None:
        self._sink.connections += 1
        self._sink.open.add(transport)
        super().connection_made(transport)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  # the library's name
        said = await _act(self, self._sink.next("DATA"))
        if said is None:
            await super().smtp_DATA(arg)
        elif said != "421 gone":
            await self.push(said)


@asynccontextmanager
async def smtp_sink(
    *,
    tls: ssl.SSLContext | None = None,
    implicit: bool = False,
    user: tuple[str, str] | None = None,
    is_ascii: bool = False,
) -> AsyncGenerator[Sink]:
    """Run a mail system on a free port of this machine.

    Args:
        tls: Its certificate; without one it offers no TLS.
        implicit: TLS from the first byte.
        user: Name and password without which it takes nothing.
        is_ascii: It knows no addresses beyond ASCII (RFC 6531).
    """
    sink = Sink()
    options: dict[str, Any] = {"enable_SMTPUTF8": not is_ascii}
    if tls is not None and not implicit:
        options |= {"tls_context": tls, "require_starttls": True}
    if user is not None:
        options |= {
            "authenticator": _authenticator(user),
            "auth_required": True,
            "auth_require_tls": tls is not None and not implicit,
        }

    def connect() -> asyncio.Protocol:
        greeting = sink.next("connect")
        if greeting is not None:
            sink.connections += 1
            return _Greeting(greeting)
        with warnings.catch_warnings():  # it does not know of TLS from the first byte
            warnings.simplefilter("ignore")
            return _Server(sink, **options)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connect, "127.0.0.1", 0, ssl=tls if implicit else None)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()


def _authenticator(user: tuple[str, str]) -> Callable[..., AuthResult]:
    def check(
        _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any
    ) -> AuthResult:
        given = cast(LoginPassword, data)
        is_good = (given.login.decode(), given.password.decode()) == user
        return AuthResult(success=is_good, handled=False)

    return check


class _Greeting(asyncio.Protocol):
    """Says one line, or nothing, and that is all."""

    def __init__(self, line: str) -> None:
        self._line = line

    def connection_made(self, transport: Any) -> None:
        if self._line == RESET:
            transport.abort()
        elif self._line != SILENT:
            transport.write(f"{self._line}\r\n".encode())
            transport.close()
