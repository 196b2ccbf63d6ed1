"""How long from a fresh copy of the project to the first task's result, and to the end.

Run it with ``./dev bench start``. It copies the project's own files into an empty folder, with
an empty home and empty package caches, so the first start downloads and installs everything.
Goals: the first result over HTTP within 30 s, on later starts within 5 s; after Ctrl-C, and
after a kill -9 of the parent alone, no process is left.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parents[1]
COLD_GOAL_S = 30.0
LATER_GOAL_S = 5.0
LATER_STARTS = 3
_GIVE_UP_S = 300.0
_GONE_WITHIN_S = 30.0
_PASSWORD = "correct horse battery"  # noqa: S105  # of a system that lives for seconds
_READY = "Tasuki is ready at "
_MARK = "BENCH_START"  # in the environment of all processes of a run, to find them again


@dataclass
class Started:
    """A running system, and the seconds from the command to each point."""

    process: subprocess.Popen[str]
    ready_s: float
    result_s: float


class House:
    """A copy of the project with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.clone = folder / "tasuki"
        self.log = folder / "up.log"
        self._mark = uuid.uuid4().hex
        home = folder / "home"
        home.mkdir()
        names = ("TASUKI_", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "XDG_")
        kept = {name: text for name, text in os.environ.items() if not name.startswith(names)}
        self._env = {
            **kept,
            "HOME": str(home),
            "UV_CACHE_DIR": str(home / "uv-cache"),
            "PIP_CACHE_DIR": str(home / "pip-cache"),
            "TASUKI_ACCOUNTS__ADMIN_PASSWORD": _PASSWORD,
            _MARK: self._mark,
        }

    def copy_project(self) -> None:
        """Copy what belongs to the project as it stands here, and nothing made from it."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).is_file():
                target = self.clone / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)

    def up(self) -> Started:
        """Start everything, order a report and download it."""
        began = time.monotonic()
        with self.log.open("a") as errors:
            process = subprocess.Popen(
                ["./dev", "up", "--port", "0"],
                cwd=self.clone,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        url = self._address(process)
        ready_s = time.monotonic() - began
        download_report(url)
        return Started(process, ready_s, time.monotonic() - began)

    def _address(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(_READY):
                return line.removeprefix(_READY).strip()
        raise SystemExit(f"`./dev up` ended:\n{self.log.read_text()[-3000:]}")

    def processes(self) -> list[psutil.Process]:
        """Return every process of this run, whoever is its parent now."""
        return [one for one in psutil.process_iter() if self._is_ours(one)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(_MARK) == self._mark
        except psutil.Error:
            return False

    def until_gone(self, process: subprocess.Popen[str], stop: Callable[[], None]) -> float:
        """End the system in some way; return the seconds until its last process was gone."""
        began = time.monotonic()
        stop()
        while (process.poll() is None) or self.processes():
            if time.monotonic() - began > _GONE_WITHIN_S:
                break
            time.sleep(0.02)
        return time.monotonic() - began

    def clear(self) -> int:
        """Kill what is left and return how much that was."""
        left = self.processes()
        for one in left:
            one.kill()
        return len(left)


def download_report(url: str) -> None:
    """Order a report as a browser would, follow it to its end, download it."""
    with httpx.Client(base_url=f"{url}/api/v1", timeout=60) as client:
        login = {"username": "admin", "password": _PASSWORD}
        client.post("/auth/login", json=login).raise_for_status()
        answer = client.post("/tasks/generate-report/", json={"days": 30})
        task = f"/tasks/{answer.raise_for_status().json()['task_id']}"
        with client.stream("GET", f"{task}/events") as events:
            for _ in events.iter_lines():
                pass  # the stream ends when the task has
        result = client.get(f"{task}/result").raise_for_status()
        assert result.content.startswith(b"%PDF"), result.text[:300]


def memory_mb(processes: list[psutil.Process]) -> float:
    """Return what they take together; pages they share count once (PSS)."""
    return float(sum(one.memory_full_info().pss for one in processes)) / 1e6


def interrupt(process: subprocess.Popen[str]) -> None:
    """Do what Ctrl-C does: SIGINT to the whole group of the terminal."""
    os.killpg(process.pid, signal.SIGINT)


class Score:
    """Prints figures and remembers whether one missed its goal."""

    def __init__(self) -> None:
        self.is_good = True

    def say(self, what: str, value: float, unit: str, goal: float | None = None) -> None:
        """Print a figure, with its goal where it has one."""
        words = ""
        if goal is not None:
            is_met = value <= goal
            self.is_good &= is_met
            words = f"   goal {goal:g} {unit}: {'met' if is_met else 'MISSED'}"
        print(f"{what:46} {value:7.1f} {unit}{words}", flush=True)


def measure(house: House, score: Score, *, later: int) -> None:
    for number in range(later + 1):
        started = house.up()
        name = "fresh copy" if number == 0 else f"later start {number}"
        name += f" (load {os.getloadavg()[0]:.1f})"
        goal = COLD_GOAL_S if number == 0 else LATER_GOAL_S
        score.say(f"{name}: ready", started.ready_s, "s")
        score.say(f"{name}: first task's result", started.result_s, "s", goal)
        if number == 0:
            running = house.processes()
            score.say(f"memory of {len(running)} processes (PSS)", memory_mb(running), "MB")
        is_last = number == later
        stop = started.process.kill if is_last else lambda: interrupt(started.process)  # noqa: B023  # called at once
        seconds = house.until_gone(started.process, stop)
        score.say("kill -9 of the parent" if is_last else "Ctrl-C", seconds, "s until all is gone")
        score.say("processes left", house.clear(), "", 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--later", type=int, default=LATER_STARTS, help="starts after the first")
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load before the start {os.getloadavg()[0]:.1f}")
    score = Score()
    with tempfile.TemporaryDirectory(prefix="tasuki-start-") as made:
        house = House(Path(made))
        house.copy_project()
        try:
            measure(house, score, later=given.later)
        finally:
            house.clear()
    sys.exit(not score.is_good)


if __name__ == "__main__":
    main()
