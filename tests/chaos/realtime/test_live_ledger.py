"""The checker of channels on invented stories: what is right is green, each fault is red."""

from dataclasses import replace
from typing import Any

import pytest

from chaos.realtime.ledger import Story, judge_story

A = "proof:a"


def stream(what: str, at: int, epoch: str = "e", **words: Any) -> dict[str, Any]:
    """Return a line of a stream of one channel."""
    places = {A: [epoch, at]}
    return {"who": "s", "kind": "stream", "what": what, "places": places, **words}


def said(offset: int, word: str, epoch: str = "e") -> dict[str, Any]:
    """Return the line of a stream that heard something."""
    return stream("said", offset, epoch, channel=A, offset=offset, id=word)


def socket(what: str, **words: Any) -> dict[str, Any]:
    """Return a line of a socket."""
    line = {"who": "w", "kind": "socket", "what": what, "socket": 1, "channel": A}
    return line | words


def published(n: int, word: str, offset: int | None = None, how: str = "now") -> dict[str, Any]:
    """Return the line of somebody who knows that they published."""
    place = None if offset is None else ["e", offset]
    line = {"party": "p", "n": n, "channel": A, "id": word, "how": how, "outcome": "ok"}
    return {**line, "at_position": place}


GOOD = Story(
    said=[published(1, "x", 1), published(2, "y", 2), published(3, "z", how="commit")],
    heard=[
        stream("place", 0),
        {"who": "s", "kind": "stream", "what": "state", "channel": A, "ids": []},
        said(1, "x"),
        stream("place", 1),
        said(2, "y"),
        said(3, "z"),
        socket("ready"),
        {"who": "w", "kind": "socket", "what": "state", "channel": A, "ids": ["x"]},
        socket("said", id="y"),
        socket("said", id="z"),
        socket("closed", code=1006),
    ],
    state={"x": (A, "now"), "y": (A, "now"), "z": (A, "commit")},
)


def test_a_story_without_a_fault_is_good() -> None:
    """And what was heard is counted."""
    found = judge_story(GOOD)

    assert found.is_good, found
    assert (found.published, found.heard, found.sockets, found.epochs) == (3, 5, 1, 1)


def test_a_new_epoch_with_a_reset_and_the_state_is_good() -> None:
    """Told so, a client loads what there is, and goes on."""
    heard = [
        stream("place", 0),
        said(1, "x"),
        stream("reset", 0, channels=[A]),  # of an epoch that is gone already
        stream("reset", 1, "f", channels=[A]),
        {"who": "s", "kind": "stream", "what": "state", "channel": A, "ids": ["x", "y"]},
        said(2, "z", "f"),
    ]

    assert judge_story(replace(GOOD, said=(), heard=heard)).is_good


BAD: dict[str, tuple[list[Any], str]] = {
    "a hole": ([stream("place", 0), said(1, "x"), said(3, "z")], "z came at ('e', 3)"),
    "twice at one place": (
        [stream("place", 0), said(1, "x"), said(1, "x")],
        "x came at ('e', 1) of proof:a, after ('e', 1)",
    ),
    "twice": (
        [stream("place", 0), said(1, "x"), said(2, "x")],
        "x came twice",
    ),
    "a new epoch without a word": (
        [stream("place", 0), said(1, "x"), said(1, "y", "f")],
        "y came at ('f', 1)",
    ),
    "a new place without a word": (
        [stream("place", 1), stream("place", 2)],
        "moved from ('e', 1) to ('e', 2) without a word",
    ),
    "a reset for nothing": (
        [stream("place", 1), stream("reset", 2, channels=[A])],
        "without need",
    ),
    "a reset for nothing that goes on": (
        [stream("place", 0), stream("reset", 1, channels=[A]), said(2, "y")],
        "without need: ('e', 0) to ('e', 1)",
    ),
    "something else": (
        [stream("place", 0), said(1, "y"), said(2, "x")],
        "s: proof:a has y at ('e', 1), others x",
    ),
    "not all": ([stream("place", 0), said(1, "x")], "s: knows nothing of z"),
    "undone": ([stream("place", 0), said(1, "q")], "heard q in proof:a, which was never said"),
    "a socket with a hole": (
        [*GOOD.heard[:6], socket("said", id="x"), socket("said", id="z")],
        "w: socket 1 heard in proof:a what never stood so: ['x', 'z']",
    ),
    "a socket that hears twice": (
        [*GOOD.heard[:6], socket("said", id="x"), socket("said", id="x")],
        "never stood so",
    ),
    "a strange end": ([socket("closed", code=1011)], "was closed with 1011"),
    "a strange answer": (
        [{"who": "s", "kind": "stream", "what": "answer", "status": 500}],
        "status 500",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_each_broken_promise_is_seen(case: str) -> None:
    """A checker that finds nothing proves nothing."""
    heard, says = BAD[case]

    found = judge_story(replace(GOOD, heard=heard))

    assert says in str(found)


def test_what_one_party_said_in_turn_stands_in_turn() -> None:
    """One after the other, each acknowledged before the next."""
    turned = [published(1, "y", 2), published(2, "x", 1)]

    found = judge_story(replace(GOOD, said=turned))

    assert "p: x stands too early" in str(found)
