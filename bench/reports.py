"""How long an activity report takes, beside the same page made without a kept compiler.

Run it with ``./dev bench reports``. Goal: 50 ms or less for a warm PDF. The floor in the
same run is `typst.compile()`, which reads fonts and template anew for every page.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import typst

from tasuki.reports import rendering
from tasuki.reports.numbers import ActivityReport, CountedRow, Period
from tasuki.reports.words import WORDS

GOAL_MS = 50.0
ROUNDS = 100
FLOOR_ROUNDS = 20
NOW = datetime(2026, 11, 24, 5, 32, tzinfo=UTC)
KINDS = ("login", "post", "comment", "invoice.sent", "請求書.送付")


def rows(period: Period, seed: int) -> Iterator[CountedRow]:
    """Give every day and kind a count that looks like chance and is the same every time."""
    for at, day in enumerate(period.calendar()):
        for place, kind in enumerate(KINDS):
            yield day, kind, (at * 7 + place * 11 + seed) % 23


def report(seed: int, days: int = 30) -> ActivityReport:
    period = Period.last(days, now=NOW, timezone=ZoneInfo("Asia/Tokyo"))
    return ActivityReport.of(
        rows(period, seed),
        rows(period.before(), seed + 5),
        period=period,
        username=f"user{seed}",
        display_name="山田 太郎",
    )


def timed(work: Callable[[int], object], rounds: int) -> list[float]:
    """Return the milliseconds of each call; every call gets another report."""
    taken = []
    for seed in range(rounds):
        began = time.perf_counter()
        work(seed)
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def rss_mb() -> float:
    """Return the resident memory of this process (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def without_reuse(seed: int) -> None:
    """Make the page as a script would: one call, fonts and template read each time."""
    payload = json.dumps(rendering._page(report(seed), WORDS["en"]))  # noqa: SLF001  same page
    typst.compile(
        rendering._TEMPLATE,  # noqa: SLF001  the same template
        format="pdf",
        font_paths=[rendering._FONTS],  # noqa: SLF001  the same fonts
        ignore_system_fonts=True,
        sys_inputs={"data": payload},
        pdf_standards=["ua-1", "a-2b"],
    )


def cold_ms() -> float:
    """Return the time of a process's first report, imports done before."""
    code = (
        "import time; from bench.reports import report; "
        "from tasuki.reports.rendering import ReportRenderer; made = report(1); "
        "began = time.perf_counter(); ReportRenderer().render(made, language='en'); "
        "print((time.perf_counter() - began) * 1000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return float(done.stdout)


def line(name: str, taken: list[float], note: str = "") -> None:
    p95 = statistics.quantiles(taken, n=20)[-1]
    print(f"{name:<34} {statistics.median(taken):7.1f} {p95:7.1f} {len(taken):6}  {note}")


def main() -> int:
    renderer = rendering.ReportRenderer()
    cold = [cold_ms() for _ in range(5)]
    before = rss_mb()
    size = len(renderer.render(report(0), language="en"))
    warm = timed(lambda n: renderer.render(report(n), language="en"), ROUNDS)
    after = rss_mb()
    japanese = timed(lambda n: renderer.render(report(n), language="ja"), ROUNDS)
    year = timed(lambda n: renderer.render(report(n, 366), language="en"), ROUNDS // 2)
    at_end = rss_mb()
    floor = timed(without_reuse, FLOOR_ROUNDS)

    median = statistics.median(warm)
    print(f"{'one A4 page':<34} {'median':>7} {'p95 ms':>7} {'rounds':>6}")
    line("warm, 30 days, English", warm, f"{size / 1000:.0f} kB; goal {GOAL_MS:g} ms")
    line("warm, 30 days, Japanese", japanese)
    line("warm, 366 days, English", year)
    line("first of a process", cold)
    line("floor: typst.compile(), no reuse", floor, f"{statistics.median(floor) / median:.1f} x")
    print(f"memory: {before:.0f} MB before, {after:.0f} MB after {ROUNDS}, {at_end:.0f} MB at end")
    return 0 if median <= GOAL_MS else 1


if __name__ == "__main__":
    sys.exit(main())
