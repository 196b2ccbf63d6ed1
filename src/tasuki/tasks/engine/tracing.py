"""Tells of an attempt to those who read traces and logs."""

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from tasuki.core.logging import bound
from tasuki.tasks.engine.repository import Claimed, End
from tasuki.tasks.states import State
from tasuki.tasks.telemetry import REQUEST_ID, goes_on, is_recording, parent_in

_FAULTS = frozenset({State.FAILED, State.TIMED_OUT, State.RETRYING})


@contextmanager
def attempt_told(claimed: Claimed, *, worker: str) -> Generator[None]:
    """Record an attempt as a span, and name it in all that is logged meanwhile.

    What is started within the block inherits both, the task's own code on another thread's
    loop too.

    Args:
        worker: ``LANE@HOST:PID``.
    """
    remembered = claimed.trace_context or {}
    fields = {"task_id": str(claimed.id), "task": claimed.name, "attempt": claimed.attempt}
    if REQUEST_ID in remembered:
        fields[REQUEST_ID] = remembered[REQUEST_ID]
    with bound(**fields), _span(claimed, remembered, worker):
        yield


def _span(
    claimed: Claimed, remembered: Mapping[str, str], worker: str
) -> AbstractContextManager[object]:
    # Where nobody records and no trace goes on, a span costs as much as a short task does.
    if not is_recording() and not goes_on(remembered):
        return nullcontext()
    return trace.get_tracer("tasuki").start_as_current_span(
        claimed.name,
        context=parent_in(remembered),
        kind=SpanKind.CONSUMER,
        attributes={
            "tasuki.task.id": str(claimed.id),
            "tasuki.task.attempt": claimed.attempt,
            "tasuki.task.queue": claimed.queue,
            "tasuki.task.lane": worker.partition("@")[0],
            "tasuki.worker": worker,
        },
    )


def outcome_told(end: End | None) -> None:
    """Write into the current attempt's span what became of it.

    Of an error only the type is told: its text is for the owner of the task.

    Args:
        end: None when the lease was lost, and another attempt may run.
    """
    span = trace.get_current_span()
    span.set_attribute("tasuki.task.outcome", str(end.state) if end else "lost")
    if end is None or end.state in _FAULTS:
        error = (end and end.error) or {}
        span.set_attribute("error.type", error.get("type", "LeaseLost"))
        span.set_status(StatusCode.ERROR)
