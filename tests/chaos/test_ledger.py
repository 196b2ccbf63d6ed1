"""The checker itself, on invented histories: it must see each kind of fault."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.ledger import Book, History, Task, judge

GOOD = Task(
    id="1",
    key="a",
    state="succeeded",
    attempt=2,
    most_starts=3,
    result={"attempt": 2},
    events=[
        (1, "queued"),
        (2, "started"),
        (3, "queued"),
        (4, "started"),
        (5, "progress"),
        (6, "succeeded"),
    ],
)
ORDERED = {"key": "a", "outcome": "ok", "id": "1"}
REFUSED = {"key": "a", "outcome": "unknown", "status": 500}
SEEN = [
    {"watcher": "w", "id": "1", "seq": seq, "type": kind}
    for seq, kind in [(4, "snapshot"), (5, "progress"), (6, "succeeded")]
]
HISTORY = History(
    attempts=[ORDERED],
    effects=[{"id": "1", "what": "start"}, {"id": "1", "what": "start"}],
    seen=SEEN,
    tasks=[GOOD],
)


def with_task(**changes: object) -> History:
    """Return the good history with another row."""
    return replace(HISTORY, tasks=[replace(GOOD, **changes)])  # type: ignore[arg-type]  # any field


def test_a_good_history_is_good() -> None:
    """What happened as promised raises no alarm."""
    verdict = judge(HISTORY)

    assert verdict.is_good, verdict
    assert (verdict.attempted, verdict.acknowledged, verdict.ended, verdict.starts) == (1, 1, 1, 2)


@pytest.mark.parametrize(
    ("history", "says"),
    [
        (lambda: replace(HISTORY, tasks=[]), "lost=1"),
        (lambda: with_task(state="running", events=GOOD.events[:5]), "lost=1"),
        (lambda: replace(HISTORY, attempts=[]), "unexpected=1"),
        (lambda: replace(HISTORY, tasks=[GOOD, replace(GOOD, id="2")]), "2 tasks for one order"),
        (lambda: with_task(events=[*GOOD.events, (8, "succeeded")]), "with a hole"),
        (lambda: with_task(events=[*GOOD.events, (7, "succeeded")]), "was not the end"),
        (lambda: with_task(events=[*GOOD.events, (7, "progress")]), "was not the end"),
        (
            lambda: with_task(events=[(1, "queued"), (2, "started"), (3, "started")]),
            "two holders at once",
        ),
        (lambda: with_task(state="failed"), "the last event succeeded"),
        (lambda: with_task(result={"attempt": 1}), "attempt 1 ended it"),
        (lambda: with_task(most_starts=1), "where 1 are allowed"),
        (lambda: replace(HISTORY, effects=[*HISTORY.effects] * 2), "began 4 times"),
        (lambda: replace(HISTORY, effects=[{"id": "9", "what": "start"}]), "without a row"),
        (lambda: replace(HISTORY, seen=[SEEN[0], SEEN[2]]), "w saw"),
        (lambda: replace(HISTORY, seen=[*SEEN, SEEN[2]]), "w saw"),
        (lambda: replace(HISTORY, seen=SEEN[:2]), "did not see the end"),
        (lambda: replace(HISTORY, ends=[{"id": "1", "state": "failed"}]), "was failed, is succ"),
        (lambda: replace(HISTORY, attempts=[ORDERED, {**ORDERED, "id": "2"}]), "answered with {"),
        (lambda: replace(HISTORY, attempts=[ORDERED, REFUSED]), "answered with status 500"),
    ],
)
def test_each_fault_is_seen(history: Callable[[], History], says: str) -> None:
    """A checker that cannot go red proves nothing."""
    verdict = judge(history())

    assert not verdict.is_good
    assert says in str(verdict)


def test_what_the_client_was_not_told_may_have_happened_or_not() -> None:
    """An order whose answer got lost is neither lost nor unexpected."""
    unknown = {"key": "a", "outcome": "unknown"}

    assert judge(replace(HISTORY, attempts=[unknown])).recovered == 1
    assert judge(History(attempts=[unknown])).is_good


def test_a_book_keeps_what_was_written(tmp_path: Path) -> None:
    """The lines of several writers come back whole."""
    for number in range(3):
        Book(tmp_path / "book").write(number=number)

    assert [line["number"] for line in Book(tmp_path / "book").read()] == [0, 1, 2]
    assert Book(tmp_path / "none").read() == []
