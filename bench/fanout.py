"""How fast a message reaches five hundred sockets, beside three other servers in the same run.

Run it with ``./dev bench fanout``; it takes about two minutes. A message is 200 bytes of JSON. It
is published one after the other, or twenty at once. Goals: 6 µs of CPU for each delivery, and 3 µs
in bursts; five times the deliveries a second of python-socketio, and those of nginx with nchan in
bursts; and half of one's own when another process publishes.

The others are the connection manager of the guide (a loop that sends to each socket, compressed,
as uvicorn and browsers agree on their own), python-socketio by WebSocket alone, and Debian's nginx
with nchan. All are measured in turns with the same clients, one at a time, so that a slower
moment of the machine hits all. Every message has to reach every socket once; on every fiftieth
socket the messages are compared.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from bench.contest.field import servers
from bench.crowd import nchan
from bench.crowd.message import SIZE
from bench.crowd.sides import Field, Measured
from bench.crowd.steering import allow_many_files

SOCKETS = 500
ROUNDS = 5
TOGETHER = 20

OURS = "Tasuki"
OTHER_PROCESS = "Tasuki, from another process"
GUIDE, SOCKETIO, NCHAN = "the guide's manager", "python-socketio", "nginx with nchan"

SINGLE, BURST = "one by one", f"{TOGETHER} at once"
MESSAGES = {OURS: 400, OTHER_PROCESS: 400, NCHAN: 400, SOCKETIO: 100, GUIDE: 60}
"""Of a round; fewer for who takes longer."""

CPU_GOALS_US = {SINGLE: 6.0, BURST: 3.0}
TIMES_SOCKETIO = 5.0
OF_OWN_FROM_OTHER_PROCESS = 0.5

Round = Callable[[int, int], Measured]
Results = Mapping[tuple[str, str], Sequence[Measured]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--sockets", type=int, default=SOCKETS)
    parser.add_argument("--only-ours", action="store_true", help="leave the others out")
    given = parser.parse_args()
    allow_many_files()
    print(facts(given.sockets))
    with tempfile.TemporaryDirectory(prefix="tasuki-bench-") as made, ExitStack() as stack:
        folder = Path(made)
        where = stack.enter_context(servers(folder))
        field = Field(stack, where, folder, sockets=given.sockets)
        results = measure(start(field, only_ours=given.only_ours), rounds=given.rounds)
    print_results(results)
    sys.exit(not are_goals_met(results))


def facts(sockets: int) -> str:
    """Say what is measured, on what and with what."""
    names = ("tasuki", "uvicorn", "websockets", "uvloop", "fastapi", "python-socketio")
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    return (
        f"{sockets} sockets, {SIZE}-byte messages; {os.cpu_count()} cores, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"load before the start {load}\n"
        + ", ".join(f"{name} {version(name)}" for name in names)
        + "\n"
    )


def start(field: Field, *, only_ours: bool) -> dict[str, Round]:
    """Start all systems with their sockets; return how to measure each."""
    tasuki, from_elsewhere = field.tasuki()
    rounds: dict[str, Round] = {
        OURS: tasuki.round,
        OTHER_PROCESS: lambda count, together: tasuki.round(count, together, from_elsewhere),
    }
    if only_ours:
        return rounds
    if (reason := nchan.why_not()) is not None:
        print(f"skipped: {NCHAN}: {reason}\n")
    else:
        rounds[NCHAN] = field.nchan().round
    rounds[SOCKETIO] = field.socketio().round
    rounds[GUIDE] = field.guide().round
    return rounds


def measure(sides: Mapping[str, Round], *, rounds: int) -> Results:
    """Measure all in turns, after a round to warm up."""
    results: dict[tuple[str, str], list[Measured]] = defaultdict(list)
    for number in range(rounds + 1):
        for how, together in ((SINGLE, 1), (BURST, TOGETHER)):
            for name, take in sides.items():
                measured = take(MESSAGES[name], together)
                if number:
                    results[how, name].append(measured)
    return results


def print_results(results: Results) -> None:
    rows = [
        [
            "",
            "",
            "deliveries/s",
            "of rounds, in thousands",
            "CPU us each",
            "kernel",
            "messages a read",
        ]
    ]
    for (how, name), rounds in results.items():
        rows.append(
            [
                how,
                f"{name} ({MESSAGES[name]} x {len(rounds)})",
                f"{median_of(rounds, lambda one: one.per_s):.0f}",
                " ".join(f"{one.per_s / 1000:.0f}" for one in rounds),
                f"{median_of(rounds, lambda one: one.cpu_us):.2f}",
                f"{median_of(rounds, lambda one: one.kernel_us):.2f}",
                f"{median_of(rounds, lambda one: one.deliveries / one.reads):.1f}",
            ]
        )
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    print()


def are_goals_met(results: Results) -> bool:
    """Compare with the others and with the goals; print all of it."""
    verdicts = [
        say(f"CPU for each delivery, {how}, us", cpu_us(results, how), at_most=goal)
        for how, goal in CPU_GOALS_US.items()
    ]
    for how, other in [(how, name) for how, name in results if name != OURS]:
        if other == OTHER_PROCESS:
            share = 1 / times(results, how, other)
            verdicts.append(say(f"{how}: {other}", share, at_least=OF_OWN_FROM_OTHER_PROCESS))
            continue
        goal = {SOCKETIO: TIMES_SOCKETIO, NCHAN: 1.0 if how == BURST else None}.get(other)
        name = f"{how}: deliveries/s, {OURS} / {other}"
        verdicts.append(say(name, times(results, how, other), at_least=goal))
        less = median_of(results[how, other], lambda one: one.cpu_us) / cpu_us(results, how)
        say(f"{how}: CPU, {other} / {OURS}", less)
    return all(verdicts)


def say(
    what: str, value: float, *, at_most: float | None = None, at_least: float | None = None
) -> bool:
    """Print a figure with its goal, if it has one; tell whether it is met."""
    is_met = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
    words = f"at most {at_most:g}" if at_most is not None else f"at least {at_least}"
    has_goal = at_most is not None or at_least is not None
    verdict = f"   goal {words}: {'met' if is_met else 'MISSED'}" if has_goal else ""
    print(f"{what:<62} {value:6.2f}{verdict}")
    return is_met


def times(results: Results, how: str, other: str) -> float:
    """Return the median of the rounds' own ratios, so that a slow minute hits both sides."""
    pairs = zip(results[how, OURS], results[how, other], strict=True)
    return statistics.median(ours.per_s / theirs.per_s for ours, theirs in pairs)


def cpu_us(results: Results, how: str) -> float:
    return median_of(results[how, OURS], lambda one: one.cpu_us)


def median_of(rounds: Sequence[Measured], figure: Callable[[Measured], float]) -> float:
    return statistics.median(figure(one) for one in rounds)


if __name__ == "__main__":
    main()
