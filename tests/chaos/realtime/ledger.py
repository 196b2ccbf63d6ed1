"""What publishers and listeners wrote down, and a verdict on it; it trusts no part of Tasuki.

A listener must hear everything once and in order. Where it cannot, it must be told so, by a reset
or by the end of its socket; it loads the state then, and knows in the end all there is.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Line = Mapping[str, Any]
Place = tuple[str, int]
"""Epoch and offset."""

MOST_RECOVERED = 300
"""Of more missed publications a listener is told that they are gone."""
CLOSES = {1006, 1012, 1013, 3008}
"""How a socket may end: cut off, by a restart or a loss, not let in now, too slow."""
_STATUSES = {200, 503}


@dataclass(frozen=True)
class Story:
    """All there is to judge.

    Attributes:
        said: Lines of those who published: ``party``, ``n``, ``channel``, ``id``, ``how``,
            ``outcome`` and, if it is known, ``at_position``.
        heard: Lines of those who listened, each in its order: see `_StreamCheck` and
            `_faults_of_sockets`.
        state: The channel of everything that was said for good, and how, by its id.
    """

    said: Sequence[Line] = ()
    heard: Sequence[Line] = ()
    state: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass
class Findings:
    """What `judge_story` found.

    Attributes:
        published: What publishers know to be published or committed.
        epochs: How often channels began anew.
        faults: Every promise that was broken, in words.
    """

    published: int = 0
    heard: int = 0
    resets: int = 0
    sockets: int = 0
    epochs: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether every promise was kept."""
        return not self.faults

    def __str__(self) -> str:
        """Return one line of counts, and one for each of the first faults."""
        counts = (
            f"{'ok' if self.is_good else 'RED'}: published={self.published} heard={self.heard} "
            f"resets={self.resets} sockets={self.sockets} epochs={self.epochs} "
            f"faults={len(self.faults)}"
        )
        return "\n".join([counts, *self.faults[:20]])


class Truth:
    """What stands where in the channels, as publishers and streams say; they must agree."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, Place], str] = {}
        self._places: dict[tuple[str, str], set[Place]] = defaultdict(set)
        self.faults: list[str] = []

    def note(self, channel: str, place: Place, word: str, who: str) -> None:
        """Take somebody's word for it."""
        known = self._at.setdefault((channel, place), word)
        if known != word:
            self.faults.append(f"{who}: {channel} has {word} at {place}, others {known}")
        self._places[channel, word].add(place)

    def places_of(self, channel: str, word: str) -> set[Place]:
        """Return where a word stands."""
        return self._places[channel, word]

    @property
    def epochs(self) -> int:
        """How many epochs there were in all channels."""
        return len({(channel, place[0]) for channel, place in self._at})

    def explains(self, channel: str, words: Sequence[str]) -> bool:
        """Whether these words may stand one after the other in one epoch of a channel."""
        if len(set(words)) < len(words):
            return False
        known = [(at, word) for at, word in enumerate(words) if self._places[channel, word]]
        if not known:
            return True
        first, word = known[0]
        return any(
            all(
                self._at.get((channel, (epoch, offset - first + at)), word) == word
                for at, word in enumerate(words)
            )
            for epoch, offset in self._places[channel, word]
        )


def judge_story(story: Story) -> Findings:
    """Compare what all of them say."""
    truth = Truth()
    ok = [line for line in story.said if line["outcome"] == "ok"]
    for line in ok:
        if line.get("at_position"):
            truth.note(line["channel"], _place(line["at_position"]), line["id"], line["party"])
    found = Findings(
        published=len([line for line in ok if line["how"] != "rollback"]),
        heard=sum(line["what"] == "said" for line in story.heard),
        resets=sum(line["what"] == "reset" for line in story.heard),
        sockets=sum(line["what"] == "ready" for line in story.heard),
    )
    by_listener: dict[str, list[Line]] = defaultdict(list)
    for line in story.heard:
        by_listener[line["who"]].append(line)
    streams = {who: lines for who, lines in by_listener.items() if lines[0]["kind"] == "stream"}
    for who, lines in streams.items():
        found.faults += _StreamCheck(who, truth).faults_of(lines)
    for who, lines in by_listener.items():
        if who not in streams:
            found.faults += _faults_of_sockets(who, lines, truth)
    found.faults += truth.faults
    found.faults += _strange_answers(story.heard)
    found.faults += _out_of_turn(ok, truth)
    for who, lines in by_listener.items():
        found.faults += _not_converged(who, lines, ok, story.state)
    found.epochs = truth.epochs
    return found


class _StreamCheck:
    """Follows one stream over all its connections.

    Its lines: ``what`` is ``place``, ``said`` or ``reset``; ``places`` are those of the frame's id
    by channel; ``said`` has ``channel``, ``offset``, ``id``, and ``reset`` has ``channels``.
    """

    def __init__(self, who: str, truth: Truth) -> None:
        self._who = who
        self._truth = truth
        self._at: dict[str, Place] = {}
        self._since_reset: dict[str, set[str]] = defaultdict(set)
        self._needless: dict[str, str] = {}

    def faults_of(self, lines: Iterable[Line]) -> list[str]:
        """Return what is wrong; after a fault it goes on from there."""
        faults: list[str] = []
        for line in lines:
            if line["what"] in {"place", "said", "reset"}:
                places = {channel: _place(at) for channel, at in line["places"].items()}
                wrong = list(self._step(line, places))
                faults += [f"{self._who}: {fault}" for fault in wrong]
                self._at |= places
        return faults + [f"{self._who}: {fault}" for fault in self._needless.values()]

    def _step(self, line: Line, places: Mapping[str, Place]) -> Iterator[str]:
        moved: set[str] = set()
        if line["what"] == "said":
            moved = {line["channel"]}
            yield from self._said(line, places[line["channel"]])
        elif line["what"] == "reset":
            moved = set(line["channels"])
            for channel in line["channels"]:
                yield from self._reset(channel, places[channel])
        for channel in places.keys() - moved:
            before = self._at.get(channel, places[channel])
            if before != places[channel]:
                yield f"{channel} moved from {before} to {places[channel]} without a word"

    def _said(self, line: Line, place: Place) -> Iterator[str]:
        channel, word = line["channel"], line["id"]
        if channel in self._needless:
            yield self._needless.pop(channel)
        epoch, offset = self._at.get(channel, ("", 0))
        if place != (epoch, offset + 1) or line["offset"] != place[1]:
            yield f"{word} came at {place} of {channel}, after {(epoch, offset)}"
        if word in self._since_reset[channel]:
            yield f"{word} came twice in {channel}, at last at {place}"
        self._since_reset[channel].add(word)
        self._truth.note(channel, place, word, self._who)

    def _reset(self, channel: str, place: Place) -> Iterator[str]:
        before = self._at.get(channel)
        self._since_reset[channel].clear()
        self._needless.pop(channel, None)
        if before is None:
            yield f"a reset of {channel}, where it had no place"
        elif before[0] == place[0] and abs(place[1] - before[1]) <= MOST_RECOVERED:
            # Needed only if that epoch is over: then nothing is said in it any more.
            self._needless[channel] = f"a reset of {channel} without need: {before} to {place}"


def _faults_of_sockets(who: str, lines: Iterable[Line], truth: Truth) -> list[str]:
    """Check that each socket, from its first word on, heard all there was.

    Its lines: ``what`` is ``ready``, ``said`` with an ``id``, or ``closed`` with a ``code``; each
    has ``socket``, a number, and ``channel``.
    """
    faults = []
    heard: dict[tuple[int, str], list[str]] = defaultdict(list)
    for line in lines:
        if line["what"] == "said":
            heard[line["socket"], line["channel"]].append(line["id"])
        elif line["what"] == "closed" and line["code"] not in CLOSES:
            faults.append(f"{who}: socket {line['socket']} was closed with {line['code']}")
    return faults + [
        f"{who}: socket {number} heard in {channel} what never stood so: {words}"
        for (number, channel), words in heard.items()
        if not truth.explains(channel, words)
    ]


def _not_converged(
    who: str, lines: Iterable[Line], ok: Sequence[Line], state: Mapping[str, tuple[str, str]]
) -> list[str]:
    """Check that a listener knows in the end all there is, and nothing else."""
    knows: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line["what"] == "said":
            knows[line["channel"]].add(line["id"])
        elif line["what"] == "state":
            knows[line["channel"]] |= set(line["ids"])
    must = {(channel, word) for word, (channel, how) in state.items() if how == "commit"}
    must |= {(line["channel"], line["id"]) for line in ok if line["how"] == "now"}
    faults = [
        f"{who}: knows nothing of {word} in {channel}"
        for channel, word in sorted(must)
        if channel in knows and word not in knows[channel]
    ]
    return faults + [
        f"{who}: heard {word} in {channel}, which was never said for good"
        for channel, words in knows.items()
        for word in sorted(words)
        if state.get(word, ("", ""))[0] != channel
    ]


def _out_of_turn(ok: Sequence[Line], truth: Truth) -> list[str]:
    """Check that what one party said one after the other stands so."""
    turns: dict[tuple[str, str, str], list[Line]] = defaultdict(list)
    for line in ok:
        if line["how"] != "rollback" and not line["party"].startswith("worker"):
            turns[line["party"], line["channel"], line["how"]].append(line)
    faults = []
    for (party, channel, _), lines in turns.items():
        last: dict[str, int] = {}
        for line in sorted(lines, key=lambda line: int(line["n"])):
            for epoch, offset in truth.places_of(channel, line["id"]):
                if offset < last.get(epoch, 0):
                    faults.append(f"{party}: {line['id']} stands too early in {channel}")
                last[epoch] = offset
    return faults


def _strange_answers(heard: Iterable[Line]) -> list[str]:
    return [
        f"{line['who']}: answered with status {line['status']}"
        for line in heard
        if line["what"] == "answer" and line["status"] not in _STATUSES
    ]


def _place(pair: Sequence[Any]) -> Place:
    return str(pair[0]), int(pair[1])
