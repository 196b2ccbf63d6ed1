"""The numbers of this process's connections, as Prometheus reads them."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from tasuki.realtime.callers import FORBIDDEN, REVOKED
from tasuki.realtime.connections import (
    FLOOD,
    KICKED,
    NO_PONG,
    ROTATED,
    SHUTDOWN,
    SLOW,
    ConnectionManager,
)

_REASONS = {
    0: "left",
    FLOOD: "flood",
    FORBIDDEN: "forbidden",
    KICKED: "kicked",
    NO_PONG: "no_pong",
    REVOKED: "signed_out",
    ROTATED: "rotated",
    SHUTDOWN: "shutdown",
    SLOW: "slow",
}


def realtime_metrics(manager: ConnectionManager, *, broker_lag_s: float) -> Iterator[Metric]:
    """Return what is open, what waits, and what was lost and found again.

    Args:
        broker_lag_s: How long a message of the broker is on its way to this process.
    """
    yield _connections(manager)
    yield GaugeMetricFamily(
        "tasuki_process_outbox_bytes",
        "Bytes that wait for clients of this process which do not take them.",
        value=manager.waiting_bytes,
    )
    yield GaugeMetricFamily(
        "tasuki_process_channels",
        "Channels that clients of this process have subscribed to.",
        value=len(manager.channels()),
    )
    yield GaugeMetricFamily(
        "tasuki_process_broker_lag_seconds",
        "From a question to Redis to its answer, behind all that it brings to this process.",
        value=broker_lag_s,
    )
    counts = manager.hub.counts
    recoveries = CounterMetricFamily(
        "tasuki_process_recoveries",
        "Channels of clients that came back: everything missed was sent, or a reset.",
        labels=["result"],
    )
    recoveries.add_metric(["recovered"], counts.recovered)
    recoveries.add_metric(["reset"], counts.reset)
    yield recoveries
    yield CounterMetricFamily(
        "tasuki_process_gap_repairs",
        "How often this process had missed publications and read them from the history.",
        value=counts.gap_repairs,
    )
    ended = CounterMetricFamily(
        "tasuki_process_connections_ended",
        "Sockets and streams of this process that ended; slow: they did not keep up.",
        labels=["reason"],
    )
    for code, reason in _REASONS.items():
        ended.add_metric([reason], counts.ended[code])
    yield ended


def _connections(manager: ConnectionManager) -> Metric:
    family = GaugeMetricFamily(
        "tasuki_process_connections", "Open sockets and streams.", labels=["kind"]
    )
    by_kind = Counter(connection.kind for connection in manager.all)
    for kind in ("websocket", "sse", "jsonl"):
        family.add_metric([kind], by_kind[kind])
    return family
