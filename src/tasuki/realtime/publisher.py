"""Publishing, from any process: at once, or together with a transaction."""

from pydantic import BaseModel

from tasuki.core.clock import rfc3339, utc_now
from tasuki.core.database import Session, after_commit
from tasuki.core.jsontext import dump
from tasuki.core.notices import Notices
from tasuki.realtime.broker import Broker
from tasuki.realtime.channels import Namespaces, Position, Publication
from tasuki.realtime.repository import OutboxRepository

OUTBOX_KEY = "outbox"
"""Notice: something was committed that is to be published."""


class Publisher:
    """Publishes events in channels.

    An event is one of the models that the channel's namespace declares; so what is published
    is always what its readers expect.
    """

    def __init__(
        self,
        *,
        namespaces: Namespaces,
        broker: Broker,
        notices: Notices,
        repository: OutboxRepository | None = None,
    ) -> None:
        self._namespaces = namespaces
        self._broker = broker
        self._notices = notices
        self._outbox = repository or OutboxRepository()

    async def publish(
        self, channel: str, event: BaseModel, *, once: str | None = None
    ) -> Position | None:
        """Publish now.

        Args:
            once: Publishing again under the same word within ten minutes does nothing.

        Returns:
            Where it stands in the channel; nothing where no history is kept.

        Raises:
            UnknownChannel: There is no such channel.
            TypeError: It is none of the channel's events.
            Unavailable: The broker does not answer; nobody knows whether it was published.
        """
        publication = self._publication(channel, event)
        history = self._namespaces.of(channel).history
        return await self._broker.publish(publication, history=history, once=once)

    async def publish_in(self, session: Session, channel: str, event: BaseModel) -> None:
        """Publish once the caller's transaction is committed, and never if it is not.

        It stands in a table until the broker has it, so neither a crash nor a broker that is
        away loses it.

        Raises:
            UnknownChannel: There is no such channel.
            TypeError: It is none of the channel's events.
        """
        await self._outbox.add(session, self._publication(channel, event))
        after_commit(session, lambda: self._notices.send(OUTBOX_KEY))

    def _publication(self, channel: str, event: BaseModel) -> Publication:
        namespace = self._namespaces.of(channel)
        return Publication(
            channel=channel,
            type=namespace.type_of(event),
            data=dump(event.model_dump(mode="json")),
            at=rfc3339(utc_now()),
            key=namespace.key_of(event) if namespace.key_of else None,
        )
