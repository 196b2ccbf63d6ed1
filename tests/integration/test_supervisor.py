"""The supervisor with real child processes: order, returns, signals, and a guard for the worst.

The children are one-line shell scripts that note in a journal what happens to them.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tasuki.embedded import Restarts, Service, ready_file, run
from tasuki.embedded.console import Console

QUICK = Restarts(limit=3, window_s=60, first_delay_s=0.01, longest_delay_s=0.05)


def wait_until(condition: Callable[[], object], *, within_s: float = 20) -> None:
    """Return when the condition holds; fail when the time is up."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.02)


class Journal:
    """Makes services that write down their starts and stops."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "journal"
        self.path.touch()

    def service(self, name: str, *after: str, script: str = "") -> Service:
        script = script or (
            f"trap 'echo stop {name} >> {self.path}; exit 0' TERM; echo start {name} >> "
            f"{self.path}; touch {self.folder}/{name}.ready; while :; do sleep 0.05; done"
        )
        return Service(
            name=name,
            argv=["sh", "-c", script],
            after=after,
            ready=ready_file(self.folder / f"{name}.ready"),
        )

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


@pytest.fixture
def out(tmp_path: Path) -> Iterator[tuple[Console, Path]]:
    """A console that writes to a file."""
    path = tmp_path / "console"
    with path.open("wb") as file:
        console = Console(["tasuki", "one"], fd=file.fileno())
        yield console, path
        console.close()


def interrupt() -> None:
    """Press Ctrl-C on ourselves."""
    os.kill(os.getpid(), signal.SIGINT)


async def test_services_start_after_what_they_need_and_stop_before_it(journal: Journal) -> None:
    """A worker without its database only makes noise, at the start as at the end."""
    web, worker = journal.service("web", "postgres"), journal.service("worker", "postgres")
    services = [journal.service("proxy", "web"), web, worker, journal.service("postgres")]

    code = await run(services, on_ready=interrupt)

    lines = journal.lines()
    assert code == 0
    assert lines.index("start postgres") < min(
        lines.index("start web"), lines.index("start worker")
    )
    assert lines.index("start web") < lines.index("start proxy")
    assert lines.index("stop proxy") < lines.index("stop web")
    assert lines[-1] == "stop postgres"


async def test_a_dead_service_comes_back(journal: Journal, out: tuple[Console, Path]) -> None:
    """One crash is a hiccup: the others do not even notice."""
    script = (
        f"echo start one >> {journal.path}; touch {journal.folder}/one.ready; "
        f"[ $(grep -c one {journal.path}) -lt 3 ] && exit 3; exec sleep 60"
    )

    async def stop_after_third() -> None:
        await asyncio.to_thread(wait_until, lambda: len(journal.lines()) == 3)
        interrupt()

    code = await run(
        [journal.service("one", script=script)],
        on_ready=stop_after_third,
        restarts=QUICK,
        console=out[0],
    )
    out[0].close()

    assert code == 0
    assert "ended (exit code 3), starting it again in 0.01 s" in out[1].read_text()


async def test_a_service_that_keeps_dying_brings_everything_down(
    journal: Journal, out: tuple[Console, Path]
) -> None:
    """A loop of crashes needs a person; exit code 1 tells whoever started us."""
    crashing = journal.service("one", script=f"echo start one >> {journal.path}; exit 9")

    code = await run([journal.service("other"), crashing], restarts=QUICK, console=out[0])
    out[0].close()

    assert code == 1
    assert journal.lines().count("start one") == 1 + QUICK.limit
    assert "stop other" in journal.lines()
    assert "one ended again (exit code 9), too often to go on" in out[1].read_text()


@pytest.mark.parametrize(
    ("service", "why"),
    [
        (Service(name="one", argv=["/no/such/program"]), "cannot be started"),
        (Service(name="one", argv=["false"], once=True), "failed (exit code 1)"),
        (
            Service(name="one", argv=["sleep", "60"], ready=lambda: False, start_timeout_s=0.2),
            "not ready after 0.2 s",
        ),
    ],
)
async def test_what_cannot_start_ends_everything_with_a_reason(
    service: Service, why: str, out: tuple[Console, Path]
) -> None:
    """Nobody waits for a system that will never be there."""
    code = await run([service], console=out[0])
    out[0].close()

    assert code == 1
    assert why in out[1].read_text()


async def test_work_that_is_done_once_comes_before_those_that_need_it(journal: Journal) -> None:
    """Migrations end, and only then does the web process start."""
    once = Service(
        name="migrate", argv=["sh", "-c", f"echo migrated >> {journal.path}"], once=True
    )

    assert await run([journal.service("web", "migrate"), once], on_ready=interrupt) == 0
    assert journal.lines() == ["migrated", "start web", "stop web"]


async def test_a_readiness_file_of_yesterday_counts_for_nothing(journal: Journal) -> None:
    """The file says that *this* process is ready."""
    (journal.folder / "one.ready").touch()
    late = journal.service("one", script="sleep 60")

    assert await run([replace(late, start_timeout_s=0.3)]) == 1


async def test_the_orphans_of_a_dead_service_are_killed(journal: Journal) -> None:
    """The pool of a dead worker would go on with tasks that nobody counts any more."""
    orphan = journal.folder / "orphan"
    script = (
        f"[ -e {orphan} ] && {{ touch {journal.folder}/one.ready; exec sleep 60; }}; "
        f"sleep 61 & echo $! > {orphan}; kill -9 $$"
    )

    assert (
        await run([journal.service("one", script=script)], on_ready=interrupt, restarts=QUICK) == 0
    )
    await asyncio.to_thread(wait_until, lambda: not is_running(int(orphan.read_text())))


async def test_lines_are_prefixed_cut_and_harmless(out: tuple[Console, Path]) -> None:
    """A megabyte in one line or a stranger's escape code must not take the terminal over."""
    program = "print('\\x1b[31mred\\x07 alert'); print('襷' * 1_000_000); print('end', end='')"
    talker = Service(name="one", argv=[sys.executable, "-c", program], once=True)

    await run([talker], on_ready=interrupt, console=out[0])
    out[0].close()

    lines = [line for line in out[1].read_text().splitlines() if " one " in line]
    texts = [line.split(" | ")[1] for line in lines]
    assert texts == ["red alert", "襷" * 2000 + "…", "end"]
    assert lines[0][2] == lines[0][5] == ":"


async def test_a_plan_that_cannot_work_is_refused(journal: Journal) -> None:
    """A mistake in the plan is found before anything starts."""
    for plan in (
        [journal.service("a", "b")],
        [journal.service("a"), journal.service("a")],
        [journal.service("a", "b"), journal.service("b", "a")],
    ):
        with pytest.raises(ValueError, match=r"unknown|same name|cycle"):
            await run(plan)
    assert journal.lines() == []


PARENT = """
import asyncio, sys
from pathlib import Path
from tasuki.embedded import Service, locked, ready_file, run

folder = Path(sys.argv[1])
def service(name, script, *after):
    script = script.replace("F", str(folder))
    return Service(name=name, argv=["sh", "-c", script], after=after,
                   ready=ready_file(folder / f"{name}.ready"), stop_timeout_s=60)

services = [
    service("kind", "echo $$ >> F/pids; touch F/kind.ready; exec sleep 300"),
    service("stubborn", "trap '' TERM; sleep 301 & echo $$ $! >> F/pids;"
            " touch F/stubborn.ready; while :; do sleep 0.1; done", "kind"),
]
with locked(folder) as lock:
    sys.exit(asyncio.run(run(services, on_ready=lambda: print("ready", flush=True),
                             keep_open=[lock])))
"""


def is_running(pid: int) -> bool:
    """Tell whether a process is there and not a zombie waiting for its parent."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


class Parent:
    """A supervisor in a process of its own, with a child that ignores SIGTERM."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = self.start()

    def start(self) -> subprocess.Popen[str]:
        with (self.folder / "stderr").open("ab") as words:
            return subprocess.Popen(
                [sys.executable, "-c", PARENT, str(self.folder)],
                stdout=subprocess.PIPE,
                stderr=words,
                text=True,
            )

    def await_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", self.said()

    def said(self) -> str:
        return (self.folder / "stderr").read_text()

    def children_running(self) -> list[int]:
        pids = map(int, (self.folder / "pids").read_text().split())
        return [pid for pid in pids if is_running(pid)]


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Parent]:
    tmp_path.chmod(0o700)
    parent = Parent(tmp_path)
    yield parent
    parent.process.kill()
    parent.process.wait(10)
    if parent.process.stdout is not None:
        parent.process.stdout.close()


def test_a_second_ctrl_c_kills_what_does_not_want_to_stop(parent: Parent) -> None:
    """Whoever is in a hurry does not wait a minute for a worker's last task."""
    parent.await_ready()

    parent.process.send_signal(signal.SIGINT)
    wait_until(lambda: "SIGINT: stopping" in parent.said())
    assert parent.process.poll() is None
    parent.process.send_signal(signal.SIGINT)

    assert parent.process.wait(10) == 0
    assert parent.children_running() == []


def test_nothing_survives_a_supervisor_that_was_killed(parent: Parent) -> None:
    """After kill -9 the guard stops everything, and holds the lock until it has."""
    parent.await_ready()

    parent.process.kill()
    parent.process.wait(10)
    killed_at = time.monotonic()
    again = parent.start()
    try:
        assert again.stdout is not None
        (parent.folder / "pids").rename(parent.folder / "old-pids")
        assert again.stdout.readline() == "ready\n", parent.said()
        old = map(int, (parent.folder / "old-pids").read_text().split())
        assert [pid for pid in old if is_running(pid)] == []
        assert time.monotonic() - killed_at < 8  # 2 s of grace, and a slow machine
    finally:
        again.kill()
        again.wait(10)
        if again.stdout is not None:
            again.stdout.close()
    wait_until(lambda: not parent.children_running(), within_s=8)


def test_a_second_supervisor_on_the_same_folder_is_refused(parent: Parent) -> None:
    """Two servers on one folder would ruin the data; the message names the folder."""
    parent.await_ready()

    second = parent.start()
    if second.stdout is not None:
        second.stdout.close()

    assert second.wait(10) != 0
    assert f"another `tasuki up` is using {parent.folder}" in parent.said()
    assert len(parent.children_running()) == 3
