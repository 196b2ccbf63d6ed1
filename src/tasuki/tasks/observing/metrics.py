"""Writes the numbers as Prometheus reads them.

What concerns all processes comes from the database and is the same whichever web process is
asked; what concerns one web process alone is named ``tasuki_process_…``.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import inf

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from tasuki.tasks.observing.records import Count, Picture
from tasuki.tasks.observing.repository import BOUNDS
from tasuki.tasks.states import LANES, TERMINAL


@dataclass(frozen=True, kw_only=True)
class ProcessNumbers:
    """What one web process knows of itself.

    Attributes:
        connections: Connections to the database that are in use.
        idle_connections: Connections that are open and wait.
        most_connections: As many as there may be.
        event_streams: Open streams of events.
        dispatch_failures: How often broker or database could not be reached, ever.
    """

    connections: int
    idle_connections: int
    most_connections: int
    event_streams: int
    dispatch_failures: int


def render(
    picture: Picture, process: ProcessNumbers, more: Iterable[Metric], *, accept: str
) -> tuple[bytes, str]:
    """Return the numbers as text, and its media type.

    Args:
        more: What others count in this process.
        accept: The request's ``Accept``; it may ask for OpenMetrics.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told([*_of_all(picture), *_of_process(process), *more]))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Told(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _of_all(picture: Picture) -> Iterator[Metric]:
    yield from _unfinished(picture)
    yield from _lag(picture)
    yield from _happened(picture.counts)
    yield _histogram(
        "tasuki_task_queue_seconds",
        "From the moment a task was queued to its first start; tasks that have ended.",
        picture.counts,
        "wait",
    )
    yield _histogram(
        "tasuki_task_run_seconds",
        "From a task's first start to its end, with the pauses between attempts.",
        picture.counts,
        "run",
    )
    workers = GaugeMetricFamily("tasuki_workers", "Living workers.", labels=["lane"])
    room = GaugeMetricFamily(
        "tasuki_workers_concurrency", "Tasks that all of them run at once.", labels=["lane"]
    )
    for lane in LANES:
        living = [worker for worker in picture.workers if worker.lane == lane]
        workers.add_metric([lane], len(living))
        room.add_metric([lane], sum(worker.concurrency for worker in living))
    yield workers
    yield room


def _unfinished(picture: Picture) -> Iterator[Metric]:
    tasks = GaugeMetricFamily(
        "tasuki_tasks",
        "Tasks that have not ended, by name and state.",
        labels=["task", "queue", "lane", "state"],
    )
    for group in picture.standing:
        tasks.add_metric([group.name, group.queue, group.lane, group.state], group.count)
    yield tasks


def _lag(picture: Picture) -> Iterator[Metric]:
    unrung = [group.unrung_s for group in picture.standing if group.unrung_s is not None]
    yield GaugeMetricFamily(
        "tasuki_task_dispatch_lag_seconds",
        "How long the oldest task has been due for which no bell was rung; 0: there is none.",
        value=max(unrung, default=0.0),
    )
    untaken: dict[tuple[str, str], float] = {}
    for group in picture.standing:
        where = (group.queue, group.lane)
        untaken[where] = max(untaken.get(where, 0.0), group.untaken_s or 0.0)
    claim = GaugeMetricFamily(
        "tasuki_task_claim_lag_seconds",
        "How long the oldest task has been due that was rung for and that no worker took.",
        labels=["queue", "lane"],
    )
    for where, seconds in untaken.items():
        claim.add_metric(where, seconds)
    yield claim


def _happened(counts: Iterable[Count]) -> Iterator[Metric]:
    runs = CounterMetricFamily(
        "tasuki_task_runs", "Tasks that ended, by how they did.", labels=["task", "state"]
    )
    lost = CounterMetricFamily(
        "tasuki_task_leases_expired",
        "Leases that ended with their worker: crashes of processes.",
        labels=["task"],
    )
    for count in counts:
        if count.what in TERMINAL:
            runs.add_metric([count.name, count.what], count.value)
        elif count.what == "lease_expired":
            lost.add_metric([count.name], count.value)
    yield runs
    yield lost


def _histogram(name: str, help_text: str, counts: Iterable[Count], what: str) -> Metric:
    found: dict[str, dict[float, float]] = defaultdict(lambda: dict.fromkeys(BOUNDS, 0.0))
    sums: dict[str, float] = {}
    for count in counts:
        if count.what == what:
            found[count.name][count.bound] = count.value
        elif count.what == f"{what}_sum":
            sums[count.name] = count.value
    family = HistogramMetricFamily(name, help_text, labels=["task"])
    for task, by_bound in found.items():
        bounds = sorted(by_bound)
        below = accumulate(by_bound[bound] for bound in bounds)
        buckets = [(_bound(bound), value) for bound, value in zip(bounds, below, strict=True)]
        family.add_metric([task], buckets, sums.get(task, 0.0))
    return family


def _bound(seconds: float) -> str:
    return "+Inf" if seconds == inf else repr(seconds)


def _of_process(process: ProcessNumbers) -> Iterator[Metric]:
    pool = GaugeMetricFamily(
        "tasuki_process_database_connections",
        "This process's connections to the database.",
        labels=["use"],
    )
    pool.add_metric(["in_use"], process.connections)
    pool.add_metric(["idle"], process.idle_connections)
    yield pool
    yield GaugeMetricFamily(
        "tasuki_process_database_connections_limit",
        "As many connections as this process may have.",
        value=process.most_connections,
    )
    yield GaugeMetricFamily(
        "tasuki_process_event_streams",
        "Open streams of events in this process.",
        value=process.event_streams,
    )
    yield CounterMetricFamily(
        "tasuki_process_dispatch_failures",
        "How often this process could not reach the broker or the database to ring for tasks.",
        value=process.dispatch_failures,
    )
