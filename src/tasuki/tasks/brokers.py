"""The brokers that may carry bells, Redis (or Valkey) and RabbitMQ, told apart by their URL.

What kombu has to be told about each of them: its queues, its time limits, what may go wrong.
Which bell goes where is the same on all of them.
"""

import contextlib
import time
from collections.abc import Iterable
from queue import Empty
from typing import Any

from kombu import Connection, Queue
from kombu.exceptions import KombuError
from kombu.transport import redis as kombu_redis

from tasuki.core.logging import get_logger

log = get_logger(__name__)

# The stubs at hand do not know what is overridden below.
_RedisChannel: Any = kombu_redis.Channel
_RedisTransport: Any = kombu_redis.Transport

_CPU_QUEUES = frozenset({"reports"})  # queues whose home is the cpu lane

MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What Celery and kombu raise on a message that is not built like one of theirs."""

PUBLISH_RETRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}

# A bell that was given to so many workers, all of which died with it, is dropped. The row it
# stands for has a limit of its own and is rung for again. RabbitMQ before 4.0 has no limit.
_MOST_DELIVERIES = 4
_PASSED_ON = "tasuki_passed_on"  # a header: how many workers had no use for the message
_MOST_PASSED_ON = 5  # without a worker that knows the task it must not go round for ever
_HEARTBEAT_S = 10  # RabbitMQ: a worker notices after some 20 s that nobody is there any more


def is_rabbitmq(broker_url: str) -> bool:
    """Return whether a URL names RabbitMQ; give it a virtual host that nobody else uses."""
    return broker_url.startswith(("amqp:", "amqps:", "pyamqp:"))


def bell_queue(broker_url: str, name: str) -> Queue:
    """Return a queue for bells: on RabbitMQ a quorum queue, which outlives a node of a cluster."""
    if not is_rabbitmq(broker_url):
        return Queue(name)
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": _MOST_DELIVERIES}
    return Queue(name, durable=True, queue_arguments=arguments)


def broker_queue(queue: str, lane: str) -> str:
    """Return the broker's queue for the bells of a queue and lane.

    A queue's home lane uses its own name; its other lane has a broker queue of its own.
    """
    home = "cpu" if queue in _CPU_QUEUES else "io"
    return queue if lane == home else f"{queue}.{lane}"


def broker_settings(broker_url: str, *, concurrency: int, is_worker: bool) -> dict[str, Any]:
    """Return what Celery is told about its broker, time limits above all.

    Args:
        concurrency: Tasks at once; sizes the connection pool.
        is_worker: A worker waits longer for its broker and reconnects for ever; a publisher
            must give up soon, since somebody waits for it.
    """
    options = _rabbitmq(is_worker) if is_rabbitmq(broker_url) else _redis(concurrency, is_worker)
    is_redis = broker_url.startswith(("redis:", "rediss:"))
    sturdy = {"broker_transport": f"{__name__}:SturdyRedis"} if is_redis and is_worker else {}
    return {
        **sturdy,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": 2,
        "broker_channel_error_retry": True,
        "broker_heartbeat": _HEARTBEAT_S,
        "broker_pool_acquire_timeout": 2.0,
        "broker_transport_options": options if is_worker else options | PUBLISH_RETRY,
        # An exclusive queue would lock a worker out that comes back before RabbitMQ noticed
        # that it had gone.
        "control_queue_exclusive": False,
        "control_queue_durable": True,
    }


def _rabbitmq(is_worker: bool) -> dict[str, Any]:
    patience_s = 10 if is_worker else 5
    return {
        # What a worker publishes is news of its own: while RabbitMQ is short of memory it
        # confirms nothing, and a worker that waited for it would answer no bell.
        "confirm_publish": not is_worker,
        "connect_timeout": 2,
        "read_timeout": patience_s,
        "write_timeout": patience_s,
    }


def _redis(concurrency: int, is_worker: bool) -> dict[str, Any]:
    return {
        "socket_connect_timeout": 1,
        "socket_timeout": 10 if is_worker else 2,
        "socket_keepalive": True,
        "health_check_interval": 10,
        # The default of 10 loses acknowledgements.
        "max_connections": 2 * concurrency + 20,
        "visibility_timeout": 120,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "global_keyprefix": "tasuki:",
    }


def failures(connection: Any) -> tuple[type[Exception], ...]:
    """Return what the client of a kombu connection raises when its broker does not do its part."""
    return (KombuError, OSError, *connection.connection_errors, *connection.channel_errors)


def open_connection(connection: Any) -> None:
    """Connect, or fail within a few seconds with one of `failures`."""
    connection.ensure_connection(max_retries=1, interval_start=0.1, timeout=2)


def pass_on(message: Any, producer: Any) -> None:
    """Put a message that is not for this process back for others, a few times and no more."""
    passed = message.headers.get(_PASSED_ON, 0)
    if not isinstance(passed, int) or not 0 <= passed < _MOST_PASSED_ON:
        return
    producer.publish(
        message.body,
        routing_key=message.delivery_info["routing_key"],
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        headers={**message.headers, _PASSED_ON: passed + 1},
        retry=False,
    )


def server_name(connection: Any) -> str:
    """Return the name and the version of the server behind an open kombu connection."""
    properties = getattr(connection.connection, "server_properties", None)
    if properties is not None:
        return f"{properties['product']} {properties['version']}"
    info = connection.default_channel.client.info("server")
    name = str(info.get("server_name", "redis"))
    return f"{name} {info.get(f'{name}_version', info['redis_version'])}"


def queue_lengths(rabbitmq_url: str, queues: Iterable[str], *, within_s: float) -> dict[str, int]:
    """Ask RabbitMQ for the ready messages of queues; one that does not exist has none.

    Blocks for twice the time at most.

    Raises:
        TimeoutError: It took longer. Else one of `failures`.
    """
    found: dict[str, int] = {}
    deadline = time.monotonic() + within_s
    limits = {"read_timeout": within_s, "write_timeout": within_s}
    connection = Connection(rabbitmq_url, connect_timeout=within_s, transport_options=limits)
    try:
        connection.connect()
        for queue in queues:
            if time.monotonic() > deadline:
                raise TimeoutError(f"RabbitMQ did not tell its queues within {within_s:g} s")
            channel: Any = connection.channel()  # RabbitMQ closes it where there is no such queue
            with contextlib.suppress(*connection.channel_errors):
                found[queue] = channel.queue_declare(queue, passive=True).message_count
            found.setdefault(queue, 0)
    finally:
        with contextlib.suppress(*failures(connection)):
            connection.collect()
    return found


class _SturdyChannel(_RedisChannel):  # type: ignore[misc]  # see there
    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except MALFORMED as exc:
            # It is out of the list already; what is not even a message is dropped.
            log.warning("message_refused", error=f"{type(exc).__name__}: {exc}"[:200])
            raise Empty from exc


class SturdyRedis(_RedisTransport):  # type: ignore[misc]  # see there
    """Kombu's Redis transport, which outlives what is not a message in its lists."""

    Channel = _SturdyChannel
