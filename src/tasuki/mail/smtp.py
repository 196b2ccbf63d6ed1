"""Mail by SMTP (RFC 5321), over a few connections that are kept."""

import asyncio
import contextlib
import re
import ssl
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
_GOODBYE_S = 5.0  # for the answer to QUIT; who waits for it has better to do
_SEND_IT, _LEAVING = 354, 421
_TAKEN = range(200, 300)
_NEVER = range(500, 600)
_NO_MAILBOX = (550, 551, 553)
_ENHANCED = re.compile(r"\b5\.(\d{1,3})\.\d{1,3}\b")
_ADDRESS_STATUS = "1"  # RFC 3463: the fault is the address'
_LINE_END = re.compile(rb"\r\n|\r|\n")
_DOT_FIRST = re.compile(rb"^\.", re.MULTILINE)


class _Client(aiosmtplib.SMTP):
    """A connection to a mail system, which has one message at a time."""

    used = 0
    end_of_idling: asyncio.TimerHandle | None = None

    def hang_up(self) -> None:
        """Say goodbye, and wait for no answer; the server closes (RFC 5321, 4.1.1.10)."""
        if self.protocol is not None:
            with contextlib.suppress(SMTPException):
                self.protocol.write(b"QUIT\r\n")
        asyncio.get_running_loop().call_later(_GOODBYE_S, self.close)

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
        if answer.code not in _TAKEN:
            raise aiosmtplib.SMTPDataError(answer.code, answer.message)
        return f"{answer.code} {answer.message}"


class SmtpTransport:
    """See `Transport`. For one event loop.

    A connection has one message at a time and is kept for the next. One that was idle may have
    been closed by the server a moment ago; then the message begins anew on another, since nothing
    of it was taken.

    Args:
        idle_s: Seconds after which a connection that nothing goes over is given up.
    """

    def __init__(self, settings: MailSettings, *, idle_s: float = _IDLE_S) -> None:
        self._settings = settings
        self._idle_s = idle_s
        self._idle: deque[_Client] = deque()
        self._slots = asyncio.Semaphore(settings.connections)

    async def send(self, envelope: Envelope, *, before: Before | None = None) -> str:
        """See `Transport.send`."""
        async with self._slots:
            kept = self._kept()
            if kept is not None:
                with contextlib.suppress(_Stale):
                    return await self._over(kept, envelope, before)
            return await self._over(await self._connected(), envelope, before)

    async def check(self) -> str:
        """See `Transport.check`."""
        async with self._slots:
            client = await self._connected()
            greeting = client.last_ehlo_response
            await _end(client)
        return f"{greeting.code} {greeting.message}" if greeting else "250"

    async def close(self) -> None:
        """See `Transport.close`."""
        kept = iter(self._kept, None)
        await asyncio.gather(*(_end(client) for client in kept))

    def _kept(self) -> _Client | None:
        while self._idle:
            client = self._idle.pop()
            if client.end_of_idling is not None:
                client.end_of_idling.cancel()
            if client.is_connected:
                return client
            client.close()
        return None

    def _keep(self, client: _Client) -> None:
        """Keep a connection for the next message, if there is one soon."""
        self._idle.append(client)
        client.end_of_idling = asyncio.get_running_loop().call_later(
            self._idle_s, self._drop, client
        )

    def _drop(self, client: _Client) -> None:
        self._idle.remove(client)
        client.hang_up()

    async def _over(self, client: _Client, envelope: Envelope, before: Before | None) -> str:
        is_first = client.used == 0
        client.used += 1
        async with _told(client):
            try:
                options = _options(client, envelope)
                await client.mail(envelope.sender, options=options, encoding="utf-8")
            except (SMTPResponseException, OSError) as exc:
                if not is_first and _is_over(exc):
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
            self._keep(client)
        else:
            client.hang_up()
        return answer

    async def _connected(self) -> _Client:
        settings = self._settings
        client = _Client(
            hostname=settings.host,
            port=settings.port,
            use_tls=settings.tls == "implicit",
            start_tls=settings.tls == "starttls",
            timeout=settings.timeout_s,
        )
        try:
            await client.connect(tls_context=self._context())
            if client.last_ehlo_response is None:
                await client.ehlo()
            if settings.username is not None and settings.password is not None:
                await client.login(settings.username, settings.password.get_secret_value())
        except (SMTPException, OSError, TimeoutError, ssl.SSLError) as exc:
            client.close()
            raise MailUnreachable(_reason("cannot talk to the mail system", exc)) from exc
        return client

    def _context(self) -> ssl.SSLContext | None:
        if self._settings.tls == "none":
            return None
        ca_file = self._settings.ca_file
        return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)


class _Stale(Exception):
    """A kept connection is no longer served."""


def _is_over(exc: Exception) -> bool:
    """Whether a connection is cut, or silent, or the server says that it closes it."""
    return not isinstance(exc, SMTPResponseException) or exc.code == _LEAVING


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
        await client.quit(timeout=_GOODBYE_S)
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
