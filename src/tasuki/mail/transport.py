"""The port to a mail system."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from tasuki.mail.message import Envelope

Before = Callable[[], Awaitable[None]]
"""Called when all is agreed and the content is about to leave; raise in it to send nothing."""


class Transport(Protocol):
    """Hands messages to a mail system, one recipient each.

    Every adapter passes ``tests/contract/test_mail.py``.
    """

    async def send(self, envelope: Envelope, *, before: Before | None = None) -> str:
        """Hand over a message to its one recipient; return what the system says.

        Args:
            before: From when it returns, the message may have been taken, whoever hears of it.

        Raises:
            MailDeferred: Not now; nothing was taken.
            MailRejected: Never; nothing was taken.
            MailUnreachable: The system cannot be talked to; nothing was taken.
            MailUnknown: Nobody knows.
        """
        ...

    async def check(self) -> str:
        """Connect and log in, send nothing, and return how the system greets us.

        Raises:
            MailUnreachable: That cannot be done.
        """
        ...

    async def close(self) -> None:
        """Say goodbye on all connections."""
        ...
