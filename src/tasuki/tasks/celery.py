"""Celery carries the bells. The only module that imports it.

A bell is a Celery message named like the task that caused it, so that ``celery inspect`` and
Flower show real names. Its arguments only say where to look: a forged one makes a worker
look at its queue, and nothing else.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery import Celery, signals
from celery import Task as CeleryTask
from celery.exceptions import InvalidTaskError
from celery.worker.consumer import Consumer
from celery.worker.strategy import default as default_strategy

from tasuki.core.logging import configure_logging, get_logger
from tasuki.tasks.brokers import (
    MALFORMED,
    PUBLISH_RETRY,
    bell_queue,
    broker_queue,
    broker_settings,
    failures,
    open_connection,
    pass_on,
    server_name,
)
from tasuki.tasks.declare import Catalogue, Task
from tasuki.tasks.engine.dispatcher import BrokerUnavailable
from tasuki.tasks.engine.lanes import Lane as RunningLane
from tasuki.tasks.engine.stopsign import StopSign
from tasuki.tasks.states import WORKER_LANES, Lane
from tasuki.tasks.stopping import one_way_to_stop, stop

_Consumer: Any = Consumer

# RabbitMQ closes the channel of a message that is not acknowledged for 30 minutes.
_ACK_EARLY_ABOVE = timedelta(minutes=10)
_PASS_ON_WITHIN_S = 2.0

log = get_logger(__name__)


def build_celery_app(
    broker_url: str, catalogue: Catalogue, *, concurrency: int = 10, is_worker: bool = False
) -> Celery:
    """Return a Celery application that knows the bells of all tasks.

    Args:
        broker_url: ``redis://…`` or ``amqp://…``.
        concurrency: Tasks at once; sizes the connection pool.
        is_worker: A worker waits longer for its broker and reconnects for ever; a publisher
            must give up soon, since somebody waits for it.
    """
    app: Celery[Any] = Celery(
        "tasuki", broker=broker_url, backend=None, set_as_current=False, task_cls=_BellTask
    )
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        enable_utc=True,
        timezone="UTC",
        task_ignore_result=True,
        task_acks_late=True,
        # Leases and the crash cap bring back what a lost worker held; this setting loops.
        task_reject_on_worker_lost=False,
        task_queues=[
            bell_queue(broker_url, broker_queue(queue, lane))
            for queue in catalogue.queues
            for lane in WORKER_LANES
        ],
        task_default_queue="default",
        task_create_missing_queues=False,
        task_repr_maxlevels=1,
        task_publish_retry_policy=PUBLISH_RETRY,
        worker_consumer=f"{__name__}:BellConsumer",
        worker_prefetch_multiplier=1,
        worker_max_tasks_per_child=1000,
        worker_max_memory_per_child=400_000,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        **broker_settings(broker_url, concurrency=concurrency, is_worker=is_worker),
    )
    return app


def careful_strategy(task: Any, app: Any, consumer: Any, **options: Any) -> Callable[..., Any]:
    """Celery's way of taking a message, but a malformed one is refused, and one for later.

    A malformed one would end the whole worker, be given back and end the next one. One with an
    ETA would wait in the worker's hands, where on RabbitMQ it keeps others from coming.
    """
    take = default_strategy(task, app, consumer, **options)

    def take_carefully(message: Any, body: Any, *more: Any) -> Any:
        try:
            if message.headers.get("eta") or (body and body.get("eta")):
                raise InvalidTaskError("time lives in the rows; a bell does not wait")
            return take(message, body, *more)
        except MALFORMED as exc:
            raise InvalidTaskError(f"{type(exc).__name__}: {exc}") from exc

    return take_carefully


class _BellTask(CeleryTask):  # type: ignore[type-arg]  # the stubs' parameters do not exist
    abstract = True
    Strategy = f"{__name__}:careful_strategy"


class BellConsumer(_Consumer):  # type: ignore[misc]  # the stubs do not know its parts
    """Celery's consumer without its delayed delivery, and with patience for newer code.

    For delayed delivery it would declare 28 more quorum queues at each start. Here time lives
    in rows.
    """

    class Blueprint(_Consumer.Blueprint):  # type: ignore[misc]  # see there
        """What the consumer is made of."""

        default_steps = tuple(
            step for step in _Consumer.Blueprint.default_steps if "delayed_delivery" not in step
        )

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        """Let another worker have a bell for a task that this one does not know.

        While a new version is rolled out old and new workers hear the same queue. The row
        waits in any case; this only saves it from waiting until its bell is missed.
        """
        del body, exc
        log.warning("unknown_task", task=str(message.headers.get("task"))[:200])
        try:
            with self.app.producer_pool.acquire(block=True, timeout=_PASS_ON_WITHIN_S) as producer:
                pass_on(message, producer)
        except failures(self.connection) as error:
            log.warning("bell_not_passed_on", error=f"{type(error).__name__}: {error}")
        message.reject_log_error(log, self.connection_errors)


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """How a worker process is run.

    Attributes:
        stop_grace_s: After SIGTERM running tasks get so long; then they are interrupted and
            go back to the queue, uncounted.
        ready_file: Created when the worker takes bells.
    """

    lane: Lane
    concurrency: int | None
    stop_grace_s: float = 20.0
    ready_file: Path | None = None
    log_level: str = "INFO"


def run_worker(
    app: Celery,
    catalogue: Catalogue,
    options: WorkerOptions,
    *,
    sign: StopSign,
    start_lane: Callable[[], RunningLane],
) -> int:
    """Run a Celery worker until it is told to stop, and return its exit code.

    Args:
        start_lane: Makes the lane; called once in this process (io), or once in each child at
            its first bell (cpu).
    """
    lanes = _Lanes(start_lane)
    _register_bells(app, catalogue, lanes)
    kept = _connect_signals(options, lanes=lanes, sign=sign)
    queues = ",".join(broker_queue(queue, options.lane) for queue in catalogue.queues)
    argv = [
        "--quiet",
        "worker",
        f"--pool={'threads' if options.lane == 'io' else 'prefork'}",
        f"--concurrency={options.concurrency or 'auto'}",
        f"--queues={queues}",
        # RabbitMQ keeps one queue for a name's commands; two workers of a name would share it.
        f"--hostname={options.lane}-{os.getpid()}@%h",
        f"--loglevel={options.log_level}",
        "--without-gossip",
        "--without-mingle",
    ]
    try:
        app.worker_main(argv)
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else 1
    finally:
        del kept
    return 0


class _Lanes:
    """The lane of this process, made when it is first needed."""

    def __init__(self, start: Callable[[], RunningLane]) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._lane: RunningLane | None = None

    def get(self) -> RunningLane:
        with self._lock:
            if self._lane is None:
                self._lane = self._start()
            return self._lane

    def close(self, *, within_s: float) -> None:
        with self._lock:
            if self._lane is not None:
                self._lane.close(within_s=within_s)
                self._lane = None


def _register_bells(app: Celery, catalogue: Catalogue, lanes: _Lanes) -> None:
    bell = _bell_of(lanes)
    for task in catalogue.tasks:
        app.task(name=task.name, acks_late=_acks_late(task), ignore_result=True)(bell)


def _bell_of(lanes: _Lanes) -> Callable[..., None]:
    def bell(*, queue: str, task_id: str | None = None, last_chance: bool = False) -> None:
        del task_id  # a hint for those who read along; the worker takes the best due row
        lanes.get().answer(str(queue), last_chance=last_chance is True)

    return bell


def _acks_late(task: Task[..., Any]) -> bool:
    return task.timeout is not None and task.timeout <= _ACK_EARLY_ABOVE


def _connect_signals(options: WorkerOptions, *, lanes: _Lanes, sign: StopSign) -> list[Any]:
    """Tie Celery's life to ours.

    Returns:
        The handlers: Celery keeps them weakly, so somebody must keep them alive.
    """

    def setup_logging(**_: Any) -> None:
        configure_logging(level=options.log_level)

    def ready(**_: Any) -> None:
        if options.lane == "io":
            lanes.get()
        one_way_to_stop(sign)
        if options.ready_file is not None:
            options.ready_file.touch()

    def shutting_down(**_: Any) -> None:
        stop(sign, grace_s=options.stop_grace_s)

    def process_ends(**_: Any) -> None:
        lanes.close(within_s=options.stop_grace_s)

    handlers = [
        (signals.setup_logging, setup_logging),
        (signals.worker_ready, ready),
        (signals.worker_shutting_down, shutting_down),
        (signals.worker_process_shutdown, process_ends),
        (signals.worker_shutdown, process_ends),
    ]
    for moment, handler in handlers:
        moment.connect(handler)
    return [handler for _, handler in handlers]


def broker_answers(broker_url: str) -> str:
    """Connect to the broker, let go of it again, and return what it calls itself.

    Raises:
        BrokerUnavailable: It cannot be reached, or refuses us.
    """
    connection = build_celery_app(broker_url, Catalogue()).connection_for_write(connect_timeout=2)
    try:
        open_connection(connection)
        return server_name(connection)
    except failures(connection) as exc:
        raise BrokerUnavailable(f"{type(exc).__name__}: {exc}") from exc
    finally:
        with contextlib.suppress(*failures(connection)):
            connection.release()
