"""How long a million rows take over HTTP, beside psql's copy of the same select.

Run it with ``./dev bench exports``, or with more rows and fewer turns:
``./dev bench exports --rows 10000000 --rounds 1``.
Goals: CSV and a JSON array take at most 1.2 times as long as psql, NDJSON 1.3, the profile
`excel` 2 times the plain CSV; the web process grows by 10 MB at most; ``/healthz`` answers
within 25 ms (p99) meanwhile. The common recipe reads fewer rows; its time is scaled.
"""

import argparse
import asyncio
import contextlib
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path

import asyncpg
import httpx
import psutil
from asyncpg import utils
from bench.contest.field import Servers, environment, process, servers, wait_for

from tasuki.accounts.datasets import USERS
from tasuki.embedded.binaries import find_postgres
from tasuki.exports.forms import Form
from tasuki.exports.query import read_query
from tasuki.exports.repository import statement_of

TASUKI = [sys.executable, "-m", "tasuki"]
ROUNDS = 5
RECIPE_ROWS = 50_000
GOALS = {"csv": 1.2, "json": 1.2, "ndjson": 1.3, "csv excel": 2.0}
MOST_GROWTH_MB, MOST_HEALTHZ_MS = 10.0, 25.0
FILL = """
INSERT INTO users (username, email, name, created_at)
SELECT 'person' || n, 'person' || n || '@example.org',
       CASE n % 3 WHEN 0 THEN '' WHEN 1 THEN '山田 太郎' ELSE 'Person Number ' || n END,
       now() - n * interval '1 second'
FROM generate_series(1, $1::int) AS n
"""
FORMS = {
    "csv": Form(format="csv"),
    "json": Form(format="json"),
    "ndjson": Form(format="ndjson"),
    "csv excel": Form(format="csv", profile="excel"),
}


async def fill(url: str, rows: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(FILL, rows)
        await connection.execute("VACUUM ANALYZE users")
    finally:
        await connection.close()


async def sql_of(url: str, form: Form) -> str:
    """Return the very select that the web process runs, with its arguments in it."""
    statement = statement_of(read_query(USERS, filters={}), form)
    connection = await asyncpg.connect(url)
    try:
        sql: str = await utils._mogrify(connection, statement.sql, statement.arguments)  # noqa: SLF001  # as the driver does
    finally:
        await connection.close()
    return " ".join(sql.split())


def copied(program: str, url: str, sql: str, form: Form) -> float:
    """Return the seconds that psql takes for the same rows."""
    options = (
        "(format csv, header)"
        if form.format == "csv"
        else r"(format csv, quote E'\x01', delimiter E'\x02')"
    )
    return timed([program, url, "-qc", rf"\copy ({sql}) to '/dev/null' {options}"])


def timed(argv: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True)
    return time.perf_counter() - began


def fetched(url: str, token: str) -> float:
    """Return the seconds that curl takes to get it all."""
    return timed(["curl", "-sSf", "-o", "/dev/null", "-H", f"Authorization: Bearer {token}", url])


@contextlib.contextmanager
def answering(url: str) -> Generator[list[float]]:
    """Ask ``/healthz`` all the time in a block; the milliseconds of each answer."""
    took: list[float] = []
    is_over = threading.Event()

    def ask() -> None:
        with httpx.Client() as client:
            while not is_over.wait(0.01):
                began = time.perf_counter()
                client.get(f"{url}/healthz").raise_for_status()
                took.append((time.perf_counter() - began) * 1000)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield took
    finally:
        is_over.set()
        asking.join(10)


@contextlib.contextmanager
def web(where: Servers, folder: Path) -> Generator[tuple[str, psutil.Process]]:
    """Run a web process; give its address."""
    log, ready = folder / "web.log", folder / "web.ready"
    env = environment(where, folder, TASUKI_TASKS__MODULES="[]")
    argv = [*TASUKI, "web", "--port", "0", "--ready-file", str(ready)]
    with process(argv, env, log) as child:
        wait_for(child, log, ready)
        yield ready.read_text(), psutil.Process(child.pid)


@contextlib.contextmanager
def recipe(where: Servers, folder: Path) -> Generator[str]:
    """Run the common recipe; give its address."""
    log = folder / "recipe.log"
    env = environment(where, folder)
    argv = [sys.executable, "-m", "uvicorn", "bench.exporting.recipe:app", "--port", "0"]
    with process(argv, env, log) as child:
        wait_for(child, log, "running on")
        yield re.findall(r"http://[0-9.:]+", log.read_text())[0]


def admin_token(where: Servers, folder: Path) -> str:
    env = environment(where, folder, TASUKI_TASKS__MODULES="[]")
    user = ["user", "add", "bench", "--email", "bench@example.org", "--admin"]
    subprocess.run([*TASUKI, *user], env=env, check=True, capture_output=True, input="", text=True)
    made = subprocess.run(
        [*TASUKI, "token", "create", "bench", "--user", "bench"],
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )
    return made.stdout.strip()


def rounds(
    one: Callable[[], float], other: Callable[[], float], *, count: int
) -> tuple[float, float]:
    """Return the medians of two ways, measured in turn."""
    taken: Iterator[tuple[float, float]] = ((one(), other()) for _ in range(count))
    firsts, seconds = zip(*taken, strict=True)
    return statistics.median(firsts), statistics.median(seconds)


def measure(where: Servers, folder: Path, rows: int, *, turns: int) -> bool:
    """Print all figures; return whether the goals are reached."""
    asyncio.run(fill(where.database_url, rows))
    token = admin_token(where, folder)
    program = str(find_postgres().folder / "psql")
    is_good = True
    plain_csv = 0.0
    with web(where, folder) as (url, server):
        base = f"{url}/api/v1/exports/users?format="
        fetched(f"{base}csv&limit=1000", token)
        before = server.memory_info().rss
        for name, form in FORMS.items():
            sql = asyncio.run(sql_of(where.database_url, FORMS["csv"] if " " in name else form))
            address = f"{base}{form.format}&profile={form.profile}"
            with answering(url) as health:
                floor, ours = rounds(
                    partial(copied, program, where.database_url, sql, form),
                    partial(fetched, address, token),
                    count=turns,
                )
            p99 = statistics.quantiles(health, n=100)[98]
            is_met = ours / floor <= GOALS[name] and p99 < MOST_HEALTHZ_MS
            is_good &= is_met
            plain_csv = plain_csv or ours
            print(
                f"{name:10} psql {floor:6.2f} s   Tasuki {ours:6.2f} s   {ours / floor:5.2f} x"
                f" (goal {GOALS[name]})   {rows / ours:11,.0f} rows/s   /healthz p99 {p99:5.1f} ms"
                f"   {'ok' if is_met else 'MISSED'}"
            )
        grown = (server.memory_info().rss - before) / 1e6
        is_good &= grown <= MOST_GROWTH_MB
        print(f"memory of the web process: +{grown:.1f} MB (goal {MOST_GROWTH_MB:.0f})")
    few = min(rows, RECIPE_ROWS)
    with recipe(where, folder) as url:
        fetched(f"{url}/users?limit=100", token)
        slow = statistics.median(fetched(f"{url}/users?limit={few}", token) for _ in range(3))
    print(
        f"the common recipe: {few / slow:,.0f} rows/s, {slow / few * rows / plain_csv:.0f} x ours"
    )
    return is_good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, servers(Path(name)) as where:
        sys.exit(not measure(where, Path(name), args.rows, turns=args.rounds))


if __name__ == "__main__":
    main()
