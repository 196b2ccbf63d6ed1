"""Rings bells by way of Celery, bounded in time."""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kombu import Queue

from tasuki.tasks.brokers import bell_queue, broker_queue, failures, open_connection
from tasuki.tasks.engine.dispatcher import BrokerUnavailable
from tasuki.tasks.engine.repository import Bell

# One ring, connecting included. Below the dispatcher's own limit, so that it hears the reason.
_RING_WITHIN_S = 10.0
_CONFIRMED_WITHIN_S = 3.0  # one bell; a quorum on slow disks takes a tenth of a second


class CeleryRinger:
    """Rings bells through kombu, in a thread of its own: no event loop ever waits for a broker.

    It has a connection of its own too. Kombu's pools belong to the whole process, and whoever
    closes one closes it for all others.

    RabbitMQ has to confirm each bell and to have a queue for it: without a confirmation it may
    have thrown the bell away, and with one alone it may have had nowhere to put it.
    """

    def __init__(self, app: Any) -> None:
        """Take the Celery application whose bells are rung."""
        self._app = app
        self._queues: dict[str, Queue] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tasuki-ringer")
        self._connection: Any = None
        self._producer: Any = None

    async def ring(self, bells: Iterable[Bell]) -> None:
        """See `Ringer.ring`."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._ring, list(bells))

    async def close(self) -> None:
        """See `Ringer.close`."""
        self._thread.submit(self._take_leave)
        self._thread.shutdown(wait=False)

    def _ring(self, bells: Sequence[Bell]) -> None:
        deadline = time.monotonic() + _RING_WITHIN_S
        connection = self._connection or self._app.connection_for_write()
        try:
            producer = self._producer or self._connect(connection)
            together = (
                producer.batch(max_size=500)
                if producer.supports_batch_publish
                else contextlib.nullcontext()
            )
            with together:
                for bell in bells:
                    self._send(bell, producer, deadline)
        except failures(connection) as exc:
            self._disconnect()
            raise BrokerUnavailable(f"{type(exc).__name__}: {exc}") from exc

    def _connect(self, connection: Any) -> Any:
        self._connection = connection
        open_connection(connection)
        # A channel, not the connection: kombu would open that again for as long as it takes.
        self._producer = self._app.amqp.Producer(connection.channel(), auto_declare=False)
        return self._producer

    def _disconnect(self) -> None:
        """Drop the connection without a farewell, for which the other side may be gone."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(*failures(connection)):
                connection.collect()

    def _take_leave(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(*failures(self._connection)):
                self._connection.release()

    def _send(self, bell: Bell, producer: Any, deadline: float) -> None:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"the bells were not all taken within {_RING_WITHIN_S:g} s")
        self._app.send_task(
            bell.name,
            kwargs={
                "queue": bell.queue,
                "task_id": str(bell.task_id),
                "last_chance": bell.last_chance,
            },
            queue=self._queue(broker_queue(bell.queue, bell.lane)),
            producer=producer,
            ignore_result=True,
            mandatory=True,
            retry=False,
            confirm_timeout=min(left_s, _CONFIRMED_WITHIN_S),
        )

    def _queue(self, name: str) -> Queue:
        """Return a queue, one that this process has no task for as well.

        Newer code beside it may have: its bells must not keep all others from being rung.
        """
        if name not in self._queues:
            self._queues[name] = bell_queue(self._app.conf.broker_url, name)
        return self._queues[name]
