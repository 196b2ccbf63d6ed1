"""How many bells lie in the broker, where asking is cheap."""

from collections.abc import Sequence

import redis.asyncio as redis
from redis.exceptions import RedisError

from tasuki.core.logging import get_logger

log = get_logger(__name__)

_WITHIN_S = 1.0
_PREFIX = "tasuki:"  # before each of Celery's keys


class BrokerDepths:
    """Asks Redis or Valkey for the length of its lists; RabbitMQ has a console for that."""

    def __init__(self, broker_url: str) -> None:
        self._url = broker_url

    async def read(self, queues: Sequence[str]) -> dict[str, int]:
        """Return the bells of the broker's queues; empty when nobody knows."""
        if not self._url.startswith(("redis:", "rediss:")):
            return {}
        client = redis.Redis.from_url(
            self._url, socket_connect_timeout=_WITHIN_S, socket_timeout=_WITHIN_S
        )
        try:
            async with client.pipeline(transaction=False) as asked:
                for queue in queues:
                    _ = asked.llen(_PREFIX + queue)
                return dict(zip(queues, await asked.execute(), strict=True))
        except (RedisError, OSError) as exc:
            log.warning("broker_depth_unknown", error=repr(exc))
            return {}
        finally:
            await client.aclose()
