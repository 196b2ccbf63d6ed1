"""How many bells lie in the broker, where asking is cheap."""

import asyncio
from collections.abc import Sequence
from functools import partial

import redis.asyncio as redis
from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from tasuki.core.logging import get_logger
from tasuki.tasks.brokers import is_rabbitmq, queue_lengths

log = get_logger(__name__)

_WITHIN_S = 1.0
_PREFIX = "tasuki:"  # before each of Celery's keys


class BrokerDepths:
    """Asks the broker, in a second or two at most; RabbitMQ in a thread."""

    def __init__(self, broker_url: str) -> None:
        self._url = broker_url

    async def read(self, queues: Sequence[str]) -> dict[str, int]:
        """Return the bells of the broker's queues; empty when nobody knows."""
        try:
            if is_rabbitmq(self._url):
                lengths = partial(queue_lengths, self._url, queues, within_s=_WITHIN_S)
                return await asyncio.to_thread(lengths)
            return await self._read_lists(queues)
        except (RedisError, OSError, KombuError, AMQPError) as exc:
            log.warning("broker_depth_unknown", error=f"{type(exc).__name__}: {exc}"[:200])
            return {}

    async def _read_lists(self, queues: Sequence[str]) -> dict[str, int]:
        client = redis.Redis.from_url(
            self._url, socket_connect_timeout=_WITHIN_S, socket_timeout=_WITHIN_S
        )
        try:
            async with client.pipeline(transaction=False) as asked:
                for queue in queues:
                    _ = asked.llen(_PREFIX + queue)
                return dict(zip(queues, await asked.execute(), strict=True))
        finally:
            await client.aclose()
