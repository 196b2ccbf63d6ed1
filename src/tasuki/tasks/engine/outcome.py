"""Decides what an attempt that has ended means for its task.

Pure decisions: no clock, no database, no loop.
"""

import random
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol
from uuid import UUID

from pydantic_core import to_jsonable_python

from tasuki.core.errors import TasukiError
from tasuki.core.jsontext import dump
from tasuki.tasks.artifacts import Artifact
from tasuki.tasks.declare import Retry
from tasuki.tasks.engine.repository import End
from tasuki.tasks.errors import Again
from tasuki.tasks.states import State

_MOST_MESSAGE = 1_000  # characters of an error message
# Errors whose text holds statements, values and addresses that are not the owner's to read.
_PRIVATE_MODULES = ("sqlalchemy", "asyncpg", "redis", "kombu", "amqp")


class Stop(Enum):
    """Why the engine interrupted a task's code."""

    CANCELLED = "cancelled"  #: Its owner asked for it.
    TIMED_OUT = "timed_out"  #: It took longer than it may.
    LOST = "lost"  #: The lease ended; another worker may hold it now.
    RELEASED = "released"  #: This worker stops; another one shall begin again.


class Attempt(Protocol):
    """What must be known of an attempt to decide what follows it; `Claimed` knows it."""

    @property
    def id(self) -> UUID:
        """The task."""
        ...

    @property
    def token(self) -> UUID:
        """The lease under which it ran."""
        ...

    @property
    def attempt(self) -> int:
        """How many there were, with this one."""
        ...

    @property
    def max_attempts(self) -> int:
        """How many there may be."""
        ...

    @property
    def crash_count(self) -> int:
        """How many of them ended with their worker; those are not the task's failures."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of an attempt's code.

    Attributes:
        stop: Why it was interrupted, if it was.
        has_ended: False when it did not heed the interruption within its grace.
    """

    returned: Any = None
    raised: BaseException | None = None
    stop: Stop | None = None
    has_ended: bool = True
    timeout_s: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the code came to its end, interrupted or not."""
        return self.has_ended and self.raised is None


def end_of_failure(claimed: Attempt, outcome: Outcome, retry: Retry) -> End:
    """Return the end of an attempt that did not succeed, or the pause before the next."""
    if outcome.stop is Stop.CANCELLED:
        error = _error("cancelled", "Cancelled", "Cancelled while it ran.", retryable=False)
        return End(id=claimed.id, token=claimed.token, state=State.CANCELLED, error=error)
    if outcome.stop is Stop.RELEASED:
        return End(
            id=claimed.id, token=claimed.token, state=State.QUEUED, pause_s=0.0, given_back=1
        )
    if isinstance(outcome.raised, Again) and outcome.stop is None:
        return _put_back(claimed, outcome.raised)
    if outcome.stop is Stop.TIMED_OUT:
        message = f"Took longer than {outcome.timeout_s:g} s."
        error = _error("timeout", "TimedOut", message, retryable=True)
        return _retried(claimed, error, State.TIMED_OUT, retry)
    error = error_of(outcome.raised)
    least_s = outcome.raised.retry_after_s if isinstance(outcome.raised, TasukiError) else None
    return _retried(claimed, error, State.FAILED, retry, least_s=least_s or 0)


def _put_back(claimed: Attempt, again: Again) -> End:
    """Return the end of an attempt that is neither: it got on, and goes on later."""
    pause_s = max(0.0, again.after.total_seconds())
    return End(
        id=claimed.id,
        token=claimed.token,
        state=State.SCHEDULED if pause_s else State.QUEUED,
        pause_s=pause_s,
        given_back=1,
        got_on=True,
    )


def error_of(raised: BaseException | None) -> dict[str, Any]:
    """Return an exception as the record keeps it: readable by the owner, without secrets."""
    kind = type(raised)
    if kind.__module__.partition(".")[0] in _PRIVATE_MODULES:
        message = "An inner service failed; the logs of the worker say how."
    else:
        message = str(raised)[:_MOST_MESSAGE]
    retryable = raised.retryable if isinstance(raised, TasukiError) else True
    return _error("error", kind.__name__, message, retryable=retryable)


def _retried(
    claimed: Attempt, error: dict[str, Any], state: State, retry: Retry, *, least_s: int = 0
) -> End:
    failures = claimed.attempt - claimed.crash_count
    if not error["retryable"] or failures >= claimed.max_attempts:
        return End(id=claimed.id, token=claimed.token, state=state, error=error)
    longest_s = retry.longest_pause(failures).total_seconds()
    drawn_s = random.uniform(0, longest_s)  # noqa: S311  # spreads load, guards nothing
    pause_s = max(float(least_s), drawn_s)
    return End(
        id=claimed.id, token=claimed.token, state=State.RETRYING, error=error, pause_s=pause_s
    )


def _error(kind: str, name: str, message: str, *, retryable: bool) -> dict[str, Any]:
    return {"kind": kind, "type": name, "message": message, "retryable": retryable}


def result_text(returned: Any) -> str:
    """Return what a task returned as JSON text.

    Raises:
        ValueError: JSON has no word for it.
    """
    try:
        return dump(to_jsonable_python(returned))
    except (TypeError, ValueError, RecursionError) as exc:
        msg = f"the task returned something JSON cannot hold: {exc}"
        raise ValueError(msg) from exc


def is_small(returned: Any) -> bool:
    """Whether turning it into JSON surely takes no time worth a thread."""
    if isinstance(returned, dict):
        return len(returned) <= 20 and all(_is_scalar(value) for value in returned.values())
    if isinstance(returned, list | tuple):
        return len(returned) <= 20 and all(_is_scalar(value) for value in returned)
    return _is_scalar(returned)


def _is_scalar(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= 1_000
    return value is None or isinstance(value, bool | int | float | Artifact)
