"""How fast tasks are, from accepted to done, beside plain Celery and taskiq in the same run.

Run it with ``./dev bench tasks``; it takes less than four minutes. Goals for tasks that do
nothing, ordered with `Tasuki.submit`: twice the throughput of plain Celery with a Redis result
backend, and that of taskiq. An order over HTTP is accepted within 100 ms (p99) while the broker
stays silent.

All systems share one Valkey that writes its log, as Tasuki's own PostgreSQL syncs its commits.
They are measured in turns, one at a time, so that a slower moment of the machine hits all.
Celery is measured with both of its pools and both ways to call ``delay`` in an async program,
and its best counts.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import psutil
from bench.contest.field import Field, Servers, Side, cpu_s, memory_mb, servers
from bench.contest.harness import Measured
from bench.contest.silent import SilentResult, measure_silent

ROUNDS = 3
BURST = {"noop": 2000, "io": 1500}
WARM_UP = 400
TRIAL = 600  # tasks to find out which way of using Celery is its best
RATE_PER_S = 50.0
RATE_S = 4.0
SILENT_GOAL_MS = 100.0
GOALS = {"Celery": 2.0, "taskiq": 1.0}

OURS = "Tasuki"
OWN = "Tasuki, own transactions"
"""Each order by `Tasuki.enqueue` in a transaction of its own, as a request with one would."""

_CELERY_WAYS = {
    "noop": [
        f"noop:{pool}:{how}" for pool in ("threads", "prefork") for how in ("loop", "thread")
    ],
    "io": [f"io:threads:{how}" for how in ("loop", "thread")],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=["contest", "silent"], help="measure this alone")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    print(facts())
    is_good = True
    with tempfile.TemporaryDirectory(prefix="tasuki-bench-") as made, ExitStack() as stack:
        folder = Path(made)
        where = stack.enter_context(servers(folder))
        if given.only != "silent":
            is_good &= contest(where, folder, rounds=given.rounds)
        if given.only != "contest":
            is_good &= silent(where, folder)
    sys.exit(not is_good)


def facts() -> str:
    """Say what the figures were measured on and with."""
    names = ("tasuki", "celery", "kombu", "taskiq", "taskiq-redis", "redis", "sqlalchemy")
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"load before the start {load}\n"
        + ", ".join(f"{name} {version(name)}" for name in names)
        + "\n"
    )


def contest(where: Servers, folder: Path, *, rounds: int) -> bool:
    """Measure the three systems in turns and print the tables; tell whether the goal is met."""
    with ExitStack() as stack:
        field = Field(stack, where, folder)
        tasuki = field.tasuki()
        sides = {OURS: tasuki, OWN: tasuki, "Celery": field.celery(), "taskiq": field.taskiq()}
        ways = {
            kind: {
                OURS: kind,
                OWN: f"{kind}:own",
                "taskiq": kind,
                "Celery": best_way(sides["Celery"], kind),
            }
            for kind in BURST
        }
        warm_up(sides, ways)
        bursts: dict[tuple[str, str], list[Measured]] = defaultdict(list)
        for _ in range(rounds):
            for kind, count in BURST.items():
                for name, side in sides.items():
                    before = cpu_s()
                    measured = side.client.burst(ways[kind][name], count)
                    measured.cpu_s = cpu_s() - before
                    bursts[kind, name].append(measured)
        steady = {
            (kind, name): side.client.steady(ways[kind][name], RATE_PER_S, RATE_S)
            for kind in BURST
            for name, side in sides.items()
        }
        ratios = print_throughput(bursts, sides)
        print_latency(steady, sides)
        print_memory(sides)
    print("Celery's best way here: " + ", ".join(ways[kind]["Celery"] for kind in BURST))
    is_good = all(ratios[other] >= goal for other, goal in GOALS.items())
    told = ", ".join(f"{goal:g} x {other}" for other, goal in GOALS.items())
    print(f"Goal, tasks that do nothing: {told}: {'met' if is_good else 'MISSED'}\n")
    return is_good


def best_way(celery: Side, kind: str) -> str:
    """Return the fastest way to have Celery do this, and print all of them."""
    speeds: dict[str, float] = {}
    for way in _CELERY_WAYS[kind]:
        celery.client.burst(way, TRIAL // 3)
        speeds[way] = TRIAL / celery.client.burst(way, TRIAL).wall_s
        print(f"Celery, {way}: {speeds[way]:.0f} tasks/s")
    return max(speeds, key=lambda way: speeds[way])


def warm_up(sides: dict[str, Side], ways: dict[str, dict[str, str]]) -> None:
    for kind in BURST:
        for name, side in sides.items():
            side.client.burst(ways[kind][name], WARM_UP)


def print_throughput(
    bursts: dict[tuple[str, str], list[Measured]], sides: Iterable[str]
) -> dict[str, float]:
    """Print tasks a second; return the ratio to each other system for tasks that do nothing."""
    head = ["burst", "system", "tasks/s", "of rounds", "accept/s", "accept p50", "p99 ms"]
    table = [[*head, "CPU ms/task"]]
    speeds: dict[tuple[str, str], list[float]] = {}
    for kind, count in BURST.items():
        for name in sides:
            measured = bursts[kind, name]
            speeds[kind, name] = [count / one.wall_s for one in measured]
            table.append(
                [
                    f"{kind} x {count}",
                    name,
                    f"{statistics.median(speeds[kind, name]):.0f}",
                    " ".join(f"{speed:.0f}" for speed in speeds[kind, name]),
                    f"{statistics.median(count / one.accept_wall_s for one in measured):.0f}",
                    *quantiles_ms([taken for one in measured for taken in one.accept_s]),
                    f"{statistics.median(one.cpu_s for one in measured) / count * 1000:.2f}",
                ]
            )
    print_table(table)
    ratios = {
        (kind, ours, other): ratio(speeds[kind, ours], speeds[kind, other])
        for kind in BURST
        for ours in (OURS, OWN)
        for other in GOALS
    }
    for (kind, ours, other), value in ratios.items():
        print(f"{kind}: {ours} / {other} {value:.2f}")
    print()
    return {other: ratios["noop", OURS, other] for other in GOALS}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the rounds' own ratios, so that a slow minute hits both sides."""
    return statistics.median(our / their for our, their in zip(ours, theirs, strict=True))


def print_latency(steady: dict[tuple[str, str], Measured], sides: Iterable[str]) -> None:
    table = [[f"{RATE_PER_S:.0f}/s", "system", "accept p50", "p99 ms", "done p50", "p99 ms"]]
    for kind in BURST:
        for name in sides:
            one = steady[kind, name]
            table.append([kind, name, *quantiles_ms(one.accept_s), *quantiles_ms(one.done_s)])
    print_table(table)


def print_memory(sides: dict[str, Side]) -> None:
    table = [["memory (PSS)", "process", "MB"]]
    for name, side in sides.items():
        if name == OWN:  # the same processes
            continue
        table += [
            [name, f"worker, {pool}", f"{memory_mb(worker.pid):.0f}"]
            for pool, worker in side.workers.items()
        ]
        table.append([name, "client", f"{memory_mb(side.client.child.pid):.0f}"])
    print_table(table)


def silent(where: Servers, folder: Path) -> bool:
    """Measure orders over HTTP while the broker accepts connections and never answers."""
    result: SilentResult = measure_silent(where, folder)
    p50, p99 = quantiles_ms(result.taken_s)
    print_table(
        [
            ["silent broker", "orders", "refused", "p50 ms", "p99 ms"],
            ["POST /api/v1/tasks", str(len(result.taken_s)), str(result.refused), p50, p99],
        ]
    )
    is_good = float(p99) <= SILENT_GOAL_MS and result.refused == 0
    print(f"Goal: p99 of {SILENT_GOAL_MS:.0f} ms at most: {'met' if is_good else 'MISSED'}")
    return is_good


def quantiles_ms(seconds: Sequence[float]) -> list[str]:
    """Return p50 and p99 in milliseconds."""
    ordered = sorted(seconds)
    places = (int(len(ordered) * 0.5), min(len(ordered) - 1, int(len(ordered) * 0.99)))
    return [f"{ordered[place] * 1000:.1f}" for place in places]


def print_table(rows: list[list[str]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
    print()


if __name__ == "__main__":
    main()
