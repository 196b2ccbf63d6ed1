"""The port to what carries publications between processes."""

from typing import Protocol

from tasuki.realtime.channels import History, Position, Publication, Slice


class Broker(Protocol):
    """Carries publications between processes, and remembers the last of them.

    A position is given out together with storing: of two publications of a channel the later
    one has the greater offset, in every process. A broker that has lost its memory begins a new
    epoch. It is never asked to keep anything for good; what must not be lost is in tables.

    Every adapter passes ``tests/contract/test_broker.py``.
    """

    async def publish(
        self, publication: Publication, *, history: History | None, once: str | None = None
    ) -> Position | None:
        """Bring a publication to all processes that have subscribed to its channel.

        Args:
            history: What is kept of the channel; with none there is no position either.
            once: Publishing again under the same word within ten minutes does nothing and
                returns the first position.

        Raises:
            Unavailable: The broker does not answer; it may or may not have been published.
        """
        ...

    async def history(self, channel: str, since: Position | None, *, most: int) -> Slice:
        """Return what came after a position, and the position of the newest, at one moment.

        The place of a channel is kept for at least ten minutes from here, though nothing is
        published in it: who listens to a silent one asks again in time.

        Args:
            since: None asks for the position only.

        Raises:
            Unavailable: The broker does not answer.
        """
        ...

    async def subscribe(self, channel: str) -> None:
        """Have publications of a channel brought here; when it returns, all later ones are."""
        ...

    def unsubscribe(self, channel: str) -> None:
        """Have them brought here no longer, once all that was asked before is done."""
        ...


class Listener(Protocol):
    """Who is told by a broker; never blocks."""

    def heard(self, publication: Publication) -> None:
        """Something was published in a channel that was subscribed to."""
        ...

    def missed(self) -> None:
        """The connection was lost and is back: whatever came meanwhile was not heard."""
        ...
