"""Mail by SMTP (RFC 5321), over a few connections that are kept."""

import asyncio
import contextlib
import re
import ssl
import time
from collections import deque
from collections.abc import AsyncGenerator

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from tasuki.mail.errors import MailDeferred, MailRejected, MailUnknown, MailUnreachable
from tasuki.mail.message import Envelope
from tasuki.mail.settings import MailSettings
from tasuki.mail.transport import Before

_IDLE_S = 20.0  # servers hang up on those who say nothing; many after half a minute
_MOST_MESSAGES = 100  # over one connection; some servers count them
_SEND_IT, _TAKEN = 354, 250
_NEVER = range(500, 600)
_NO_MAILBOX = (550, 551, 553)
_ENHANCED = re.compile(r"\b5\.(\d{1,3})\.\d{1,3}\b")
_ADDRESS_STATUS = "1"  # RFC 3463: the fault is the address'
_LINE_END = re.compile(rb"\r\n|\r|\n")
_DOT_FIRST = re.compile(rb"^\.", re.MULTILINE)


class _Client(aiosmtplib.SMTP):
    """A connection to a mail system, which has one message at a time."""

    used = 0
    idle_since = 0.0

    async def hand_over(self, content: bytes, *, before: Before | None, timeout_s: float) -> str:
        """Send a message's content; return the answer.

        Raises:
            MailDeferred: The connection broke, or they said "later", before the content left.
            MailUnknown: It broke after that.
        """
        ready = await self.execute_command(b"DATA", timeout=timeout_s)
        if ready.code != _SEND_IT:
            raise aiosmtplib.SMTPDataError(ready.code, ready.message)
        protocol = self.protocol
        if protocol is None:
            raise MailDeferred("the mail system went away")
        if before is not None:
            await before()
        protocol.write(content)
        try:
            answer = await protocol.read_response(timeout=timeout_s)
        except (SMTPException, OSError, TimeoutError) as exc:
            raise MailUnknown(f"no answer to the end of the message: {exc}") from exc
        if answer.code != _TAKEN:
            raise aiosmtplib.SMTPDataError(answer.code, answer.message)
        return f"{answer.code} {answer.message}"


class SmtpTransport:
    """See `Transport`. For one event loop.

    A connection has one message at a time and is kept for the next. One that was idle may have
    been closed by the server a moment ago; then the message begins anew on another, since nothing
    of it was taken.
    """

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._idle: deque[_Client] = deque()
        self._slots = asyncio.Semaphore(settings.connections)

    async def send(self, envelope: Envelope, *, before: Before | None = None) -> str:
        """See `Transport.send`."""
        async with self._slots:
            kept = self._kept()
            if kept is not None:
                try:
                    return await self._over(kept, envelope, before)
                except _Stale:
                    pass
            return await self._over(await self._connected(), envelope, before)

    async def check(self) -> str:
        """See `Transport.check`."""
        async with self._slots:
            client = await self._connected()
            with contextlib.suppress(SMTPException, OSError, TimeoutError):
                await client.quit(timeout=5)
        greeting = client.last_ehlo_response
        return f"{greeting.code} {greeting.message}" if greeting else "250"

    async def close(self) -> None:
        """See `Transport.close`."""
        while self._idle:
            client = self._idle.popleft()
            with contextlib.suppress(SMTPException, OSError, TimeoutError):
                await client.quit(timeout=5)

    def _kept(self) -> _Client | None:
        while self._idle:
            client = self._idle.pop()
            if client.is_connected and time.monotonic() - client.idle_since < _IDLE_S:
                return client
            client.close()
        return None

    async def _over(self, client: _Client, envelope: Envelope, before: Before | None) -> str:
        is_first = client.used == 0
        client.used += 1
        async with _told(client):
            try:
                options = _options(client, envelope)
                await client.mail(envelope.sender, options=options, encoding="utf-8")
            except (aiosmtplib.SMTPServerDisconnected, OSError) as exc:
                if not is_first:
                    client.close()
                    raise _Stale from exc
                raise
            await client.rcpt(envelope.recipient, encoding="utf-8")
            answer = await client.hand_over(
                _on_the_wire(envelope.content),
                before=before,
                timeout_s=self._settings.timeout_s,
            )
        if client.used < _MOST_MESSAGES and client.is_connected:
            client.idle_since = time.monotonic()
            self._idle.append(client)
        else:
            client.close()
        return answer

    async def _connected(self) -> _Client:
        settings = self._settings
        client = _Client(
            hostname=settings.host,
            port=settings.port,
            use_tls=settings.tls == "implicit",
            start_tls=settings.tls == "starttls",
            tls_context=None if settings.tls == "none" else self._context(),
            timeout=settings.timeout_s,
        )
        try:
            await client.connect()
            if client.last_ehlo_response is None:
                await client.ehlo()
            if settings.username is not None and settings.password is not None:
                await client.login(settings.username, settings.password.get_secret_value())
        except (SMTPException, OSError, TimeoutError, ssl.SSLError) as exc:
            client.close()
            raise MailUnreachable(_reason("cannot talk to the mail system", exc)) from exc
        return client

    def _context(self) -> ssl.SSLContext:
        ca_file = self._settings.ca_file
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)


class _Stale(Exception):
    """A kept connection had been closed by the server."""


@contextlib.asynccontextmanager
async def _told(client: _Client) -> AsyncGenerator[None]:
    """Turn what goes wrong with one message into what it means; the connection ends with it."""
    try:
        yield
    except _Stale:
        raise
    except (MailDeferred, MailUnknown):
        client.close()
        raise
    except SMTPResponseException as exc:
        await _end(client)
        raise _of_answer(exc) from exc
    except aiosmtplib.SMTPRecipientsRefused as exc:
        await _end(client)
        raise _of_answer(exc.recipients[0]) from exc
    except (SMTPException, OSError, TimeoutError) as exc:
        client.close()
        raise MailDeferred(_reason("the mail system went away", exc)) from exc
    except BaseException:
        client.close()
        raise


def _options(client: _Client, envelope: Envelope) -> tuple[str, ...]:
    if envelope.is_ascii:
        return ()
    if not client.supports_extension("smtputf8"):
        raise MailRejected("the mail system knows no addresses but those in ASCII (SMTPUTF8)")
    return "SMTPUTF8", "BODY=8BITMIME"


async def _end(client: _Client) -> None:
    with contextlib.suppress(SMTPException, OSError, TimeoutError):
        await client.quit(timeout=5)
    client.close()


def _of_answer(exc: SMTPResponseException) -> MailDeferred | MailRejected:
    said = f"{exc.code} {exc.message}"[:500]
    if exc.code in _NEVER:
        return MailRejected(said, is_address_fault=_blames_address(exc))
    return MailDeferred(said)


def _blames_address(exc: SMTPResponseException) -> bool:
    if not isinstance(exc, aiosmtplib.SMTPRecipientRefused):
        return False
    status = _ENHANCED.search(exc.message)
    if status is not None:
        return status[1] == _ADDRESS_STATUS
    return exc.code in _NO_MAILBOX


def _on_the_wire(content: bytes) -> bytes:
    """Return a message's content with its end, as it follows DATA (RFC 5321, 4.5.2).

    A line end of one character would let a message end where another mail system reads on.
    """
    lines = _DOT_FIRST.sub(b"..", _LINE_END.sub(b"\r\n", content))
    return lines + (b".\r\n" if lines.endswith(b"\r\n") else b"\r\n.\r\n")


def _reason(what: str, exc: BaseException) -> str:
    """Say what happened; never with what we logged in with."""
    said = f"{exc.code} {exc.message}" if isinstance(exc, SMTPResponseException) else str(exc)
    return f"{what}: {said or type(exc).__name__}"[:500]
