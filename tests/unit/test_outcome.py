"""What an attempt that has ended means for its task."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tasuki import Fatal, Retry
from tasuki.core.errors import Unavailable
from tasuki.tasks.engine.outcome import (
    Outcome,
    Stop,
    end_of_failure,
    error_of,
    is_small,
    result_text,
)
from tasuki.tasks.engine.repository import Claimed
from tasuki.tasks.errors import Again
from tasuki.tasks.states import State

RETRY = Retry(tries=3, first=timedelta(seconds=8))


def claimed(**changed: Any) -> Claimed:
    """Return a task as a worker holds it, at its first of three attempts."""
    plain = {
        "id": uuid4(),
        "token": uuid4(),
        "owner_id": 1,
        "name": "test.echo",
        "args": {},
        "attempt": 1,
        "max_attempts": 3,
        "crash_count": 0,
        "timeout_s": 5.0,
        "trace_context": None,
    }
    fields = Claimed.__dataclass_fields__
    rest = {name: None for name in fields if name not in plain}
    return Claimed(**{**rest, **plain, **changed})


def test_a_failure_is_retried_within_its_pause() -> None:
    """The pause is drawn between nothing and the bound."""
    pauses = [
        end_of_failure(claimed(), Outcome(raised=RuntimeError("x")), RETRY).pause_s
        for _ in range(200)
    ]

    assert all(pause is not None and 0 <= pause <= 8 for pause in pauses)
    assert len(set(pauses)) > 100


def test_an_error_that_says_when_is_not_tried_again_sooner() -> None:
    """A mail system that greylists counts who comes too early anew."""
    says_when = Outcome(raised=Unavailable("later", retry_after_s=600))

    assert end_of_failure(claimed(), says_when, RETRY).pause_s == 600


def test_the_last_attempt_is_final() -> None:
    """Three tries are three, and a crash is not one of them."""
    last = end_of_failure(claimed(attempt=3), Outcome(raised=RuntimeError("x")), RETRY)
    crashed_once = claimed(attempt=3, crash_count=1)
    one_more = end_of_failure(crashed_once, Outcome(raised=RuntimeError("x")), RETRY)

    assert (last.state, last.pause_s) == (State.FAILED, None)
    assert one_more.state == State.RETRYING


@pytest.mark.parametrize(
    ("outcome", "state", "kind"),
    [
        (Outcome(raised=Fatal("no")), State.FAILED, "error"),
        (Outcome(raised=Unavailable("later")), State.RETRYING, "error"),
        (Outcome(stop=Stop.TIMED_OUT, timeout_s=5.0), State.RETRYING, "timeout"),
        (Outcome(stop=Stop.CANCELLED), State.CANCELLED, "cancelled"),
        (Outcome(stop=Stop.CANCELLED, has_ended=False), State.CANCELLED, "cancelled"),
    ],
)
def test_each_way_to_end_has_its_state(outcome: Outcome, state: State, kind: str) -> None:
    """The state says what is, the error says why."""
    end = end_of_failure(claimed(), outcome, RETRY)

    assert end.state == state
    assert end.error is not None
    assert end.error["kind"] == kind


def test_a_worker_that_stops_takes_no_try_away() -> None:
    """The task begins again elsewhere, as if nothing had been."""
    end = end_of_failure(claimed(), Outcome(stop=Stop.RELEASED), RETRY)

    assert (end.state, end.pause_s, end.given_back, end.error) == (State.QUEUED, 0.0, 1, None)


@pytest.mark.parametrize(("after_s", "state"), [(0, State.QUEUED), (90, State.SCHEDULED)])
def test_a_task_that_wants_to_go_on_later_has_not_failed(after_s: int, state: State) -> None:
    """It takes no try away, and what took down its workers before does not count any more."""
    last_try = claimed(attempt=3, crash_count=1)
    end = end_of_failure(last_try, Outcome(raised=Again(timedelta(seconds=after_s))), RETRY)

    assert (end.state, end.pause_s, end.error) == (state, float(after_s), None)
    assert (end.given_back, end.got_on) == (1, True)


def test_inner_services_do_not_speak_to_the_owner() -> None:
    """Their errors hold statements, values and addresses."""
    from redis.exceptions import ConnectionError as RedisGone  # noqa: PLC0415  # only here

    error = error_of(RedisGone("redis://:secret@10.0.0.1"))

    assert "secret" not in error["message"]
    assert error["type"] == "ConnectionError"


def test_a_result_json_cannot_hold_is_an_error() -> None:
    """It is said, not stored as something else."""
    itself: list[Any] = []
    itself.append(itself)

    for wrong in (object(), itself, float("nan")):
        with pytest.raises(ValueError, match="JSON cannot hold"):
            result_text(wrong)
    assert result_text({"when": timedelta(seconds=1)}) == '{"when":"PT1S"}'


@pytest.mark.parametrize(
    ("returned", "small"),
    [
        (None, True),
        (["a", 1], True),
        ("x" * 2_000, False),
        ({"rows": [1, 2]}, False),
        (list(range(100)), False),
    ],
)
def test_only_what_is_surely_small_is_encoded_on_the_loop(returned: Any, small: bool) -> None:
    """A large result must not hold up its neighbours."""
    assert is_small(returned) is small
