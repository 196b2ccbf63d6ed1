"""What independent witnesses wrote down, and a verdict on it.

Four parties keep a file each: the client (what it tried and what it was told), the tasks
(when they began and ended), the watchers (which events they saw), the one who kills (whom and
when). A line is one write with ``O_APPEND``, so that processes that die leave whole lines. The
database is the fifth witness. `judge` compares them; it is a pure function, so it can be tried
on invented histories, and it does not trust any part of Tasuki.
"""

import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TERMINAL = frozenset({"succeeded", "failed", "cancelled", "timed_out", "crashed", "expired"})
_ENDS_ATTEMPT = TERMINAL | {"retrying", "queued"}


class Book:
    """A file of one witness."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **words: Any) -> None:
        """Append a line: all of it or, if we die before, nothing."""
        line = json.dumps({"at": time.monotonic(), **words}) + "\n"
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    def read(self) -> list[dict[str, Any]]:
        """Return all lines."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@dataclass(frozen=True)
class Task:
    """A task as the database shows it at the end, with all its events.

    Attributes:
        events: ``(seq, type)`` in order.
    """

    id: str
    key: str
    state: str
    attempt: int
    most_starts: int
    result: Any = None
    events: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class History:
    """All there is to judge.

    Attributes:
        attempts: The client's lines: ``key``, ``outcome`` (``ok`` or ``unknown``), ``id``,
            and the ``status`` of an answer that was no promise.
        effects: The tasks' lines: ``id``, ``attempt``, ``what`` (``start`` or ``end``).
        seen: The watchers' lines: ``watcher``, ``id``, ``seq``, ``type``.
        ends: Lines of one who looked meanwhile: ``id`` and the terminal ``state`` it saw.
        tasks: The database's rows.
    """

    attempts: Sequence[Mapping[str, Any]] = ()
    effects: Sequence[Mapping[str, Any]] = ()
    seen: Sequence[Mapping[str, Any]] = ()
    ends: Sequence[Mapping[str, Any]] = ()
    tasks: Sequence[Task] = ()


@dataclass
class Verdict:
    """What `judge` found.

    Attributes:
        lost: Acknowledged to the client, and not ended.
        unexpected: In the database, and never tried by the client.
        recovered: The client was not told, and yet they ended.
        faults: Every promise that was broken, in words.
    """

    attempted: int = 0
    acknowledged: int = 0
    ended: int = 0
    recovered: int = 0
    starts: int = 0
    lost: set[str] = field(default_factory=set)
    unexpected: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.unexpected or self.faults)

    def __str__(self) -> str:
        """Return one line of counts, and one for each fault."""
        counts = (
            f"{'ok' if self.is_good else 'RED'}: attempted={self.attempted} "
            f"acknowledged={self.acknowledged} ended={self.ended} recovered={self.recovered} "
            f"starts={self.starts} lost={len(self.lost)} unexpected={len(self.unexpected)} "
            f"faults={len(self.faults)}"
        )
        return "\n".join([counts, *self.faults[:20]])


def judge(history: History) -> Verdict:
    """Compare what the witnesses say."""
    attempted = {str(line["key"]) for line in history.attempts}
    acknowledged = {str(line["key"]) for line in history.attempts if line["outcome"] == "ok"}
    ended = {task.key for task in history.tasks if task.state in TERMINAL}
    known = {task.key for task in history.tasks}
    starts = _starts(history.effects)
    verdict = Verdict(
        attempted=len(attempted),
        acknowledged=len(acknowledged),
        ended=len(ended),
        recovered=len((ended & attempted) - acknowledged),
        starts=sum(starts.values()),
        lost=acknowledged - ended,
        unexpected=known - attempted,
    )
    ids = {task.id for task in history.tasks}
    verdict.faults += [f"{id_}: ran without a row" for id_ in sorted(starts.keys() - ids)]
    verdict.faults += _doubled(history.tasks)
    for task in history.tasks:
        told = [*faults_of_story(task), *faults_of_runs(task, starts[task.id])]
        if task.state not in TERMINAL:
            told.append(f"still {task.state} after {[kind for _, kind in task.events]}")
        verdict.faults += [f"{task.key} ({task.id}): {fault}" for fault in told]
    verdict.faults += faults_of_watchers(history.seen, history.tasks)
    verdict.faults += _disagreements(history.attempts)
    verdict.faults += _wrong_answers(history.attempts)
    verdict.faults += _changed_ends(history.ends, history.tasks)
    return verdict


def faults_of_story(task: Task) -> list[str]:
    """Check a task's events: no hole, one holder at a time, one end, nothing after it."""
    faults = []
    if [seq for seq, _ in task.events] != list(range(1, len(task.events) + 1)):
        faults.append(f"positions with a hole or twice: {[seq for seq, _ in task.events]}")
    is_held = False
    for place, (seq, kind) in enumerate(task.events, 1):
        if kind == "started" and is_held:
            faults.append(f"two holders at once: started again at {seq}")
        if kind in TERMINAL and place != len(task.events):
            faults.append(f"{kind} at {seq} was not the end")
        is_held = (is_held or kind == "started") and kind not in _ENDS_ATTEMPT
    last = task.events[-1][1] if task.events else None
    if (task.state in TERMINAL or last in TERMINAL) and last != task.state:
        faults.append(f"the state is {task.state}, the last event {last}")
    return faults


def faults_of_runs(task: Task, begun: int) -> list[str]:
    """Check how often a task ran, and that its result is that of the one who held it."""
    faults = []
    started = sum(kind == "started" for _, kind in task.events)
    if begun > started:
        faults.append(f"its code began {begun} times in {started} attempts")
    if started > task.most_starts:
        faults.append(f"{started} attempts, where {task.most_starts} are allowed")
    if isinstance(task.result, dict) and task.result.get("attempt", task.attempt) != task.attempt:
        faults.append(
            f"attempt {task.result['attempt']} ended it while attempt {task.attempt} held it"
        )
    return faults


def faults_of_watchers(seen: Iterable[Mapping[str, Any]], tasks: Iterable[Task]) -> list[str]:
    """Check that each watcher saw every event once and in order, up to the end."""
    states = {task.id: task.state for task in tasks}
    lines: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in seen:
        lines[str(line["watcher"])].append(line)
    faults = []
    for watcher, own in lines.items():
        events = [line for line in own if line["type"] != "snapshot"]
        seqs = [int(line["seq"]) for line in events]
        first = int(own[0]["seq"]) + 1
        if own[0]["type"] != "snapshot" or seqs != list(range(first, first + len(seqs))):
            faults.append(f"{watcher} saw {[(line['seq'], line['type']) for line in own]}")
        elif (events or own)[-1]["type"] != states.get(str(own[0]["id"])):
            faults.append(f"{watcher} did not see the end")
    return faults


def _starts(effects: Iterable[Mapping[str, Any]]) -> Counter[str]:
    return Counter(str(line["id"]) for line in effects if line["what"] == "start")


def _doubled(tasks: Iterable[Task]) -> list[str]:
    counts = Counter(task.key for task in tasks)
    return [f"{key}: {count} tasks for one order" for key, count in counts.items() if count > 1]


def _disagreements(attempts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return orders whose repetition was answered with another task."""
    ids: dict[str, set[str]] = defaultdict(set)
    for line in attempts:
        if line["outcome"] == "ok":
            ids[str(line["key"])].add(str(line["id"]))
    return [f"{key}: answered with {found}" for key, found in ids.items() if len(found) > 1]


def _wrong_answers(attempts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return orders that were refused in another way than "not now"."""
    return [
        f"{line['key']}: answered with status {line['status']}"
        for line in attempts
        if line.get("status", 503) != 503
    ]


def _changed_ends(ends: Iterable[Mapping[str, Any]], tasks: Iterable[Task]) -> list[str]:
    """Return tasks that were seen in a terminal state, and are in another one now."""
    states = {task.id: task.state for task in tasks}
    seen = {(str(line["id"]), str(line["state"])) for line in ends}
    return [
        f"{id_}: was {state}, is {states.get(id_)}"
        for id_, state in sorted(seen)
        if states.get(id_) != state
    ]
