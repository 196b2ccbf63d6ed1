"""A mail system in this process, for tests."""

from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from tasuki.mail.errors import MailUnknown
from tasuki.mail.message import Envelope
from tasuki.mail.transport import Before


class MemoryTransport:
    """Keeps what it is given; see `Transport`.

    Args:
        fault: Asked before each message: what to raise instead of taking it.
    """

    def __init__(self, fault: Callable[[Envelope], Exception | None] | None = None) -> None:
        self.taken: list[EmailMessage] = []
        self._fault = fault

    async def send(self, envelope: Envelope, *, before: Before | None = None) -> str:
        """See `Transport.send`."""
        fault = self._fault(envelope) if self._fault is not None else None
        if fault is not None and not isinstance(fault, MailUnknown):
            raise fault
        if before is not None:
            await before()
        if fault is not None:
            raise fault
        self.taken.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"

    async def check(self) -> str:
        """See `Transport.check`."""
        return "220 memory"

    async def close(self) -> None:
        """See `Transport.close`."""
