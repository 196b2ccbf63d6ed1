"""A whole Tasuki as child processes, to be used and mistreated from outside."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

ADMIN_PASSWORD = "correct horse battery"
_START_WITHIN_S = 30.0
_STOP_WITHIN_S = 15.0
_TESTS = Path(__file__).parents[1]


class EndedEarly(AssertionError):
    """A process ended before it was ready."""


@dataclass
class Part:
    """One process of the system."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """Kill it and all it started, as the kernel does when memory runs out."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(_STOP_WITHIN_S)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and all it started."""
        os.killpg(self.process.pid, number)

    def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop:\n{self.tail()}") from None

    def tail(self) -> str:
        """Return the end of what it logged."""
        return self.log.read_text(errors="replace")[-4_000:]


@dataclass
class System:
    """Starts parts of Tasuki on given servers and stops them at the end.

    Attributes:
        env: Settings beside the URLs.
    """

    folder: Path
    database_url: str
    redis_url: str
    env: Mapping[str, str] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Kill what still runs; a test that wants to see a clean stop asks for it."""
        for part in self.parts:
            with suppress(ProcessLookupError):
                part.signal(signal.SIGCONT)
            part.kill()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process of this system."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith("TASUKI_")}
        return {
            **kept,
            "PYTHONPATH": str(_TESTS),
            "TASUKI_DATABASE_URL": self.database_url,
            "TASUKI_REDIS_URL": self.redis_url,
            "TASUKI_DATA_DIR": str(self.folder),
            "TASUKI_ACCOUNTS__ADMIN_PASSWORD": ADMIN_PASSWORD,
            "TASUKI_TASKS__MODULES": '["support.jobs"]',
            **self.env,
        }

    def web(self, port: int = 0, **env: str) -> Part:
        """Start a web process, on a free port if 0; `url` is then its address."""
        part, ready = self._start("web", "web", "--port", str(port), env=env)
        self.url = ready.read_text()
        return part

    def worker(self, lane: str, *options: str, **env: str) -> Part:
        """Start a worker."""
        return self._start(f"{lane}-worker", "worker", "--lane", lane, *options, env=env)[0]

    def mail(self, port: int) -> Part:
        """Start what catches mail."""
        return self._start("mail", "mail", "catch", "--port", str(port), env={})[0]

    def scheduler(self, **env: str) -> Part:
        """Start a scheduler."""
        return self._start("scheduler", "scheduler", env=env)[0]

    def command(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command of the terminal and return what it said."""
        return subprocess.run(
            [sys.executable, "-m", "tasuki", *words],
            env=self.environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.folder,
        )

    def _start(self, name: str, *words: str, env: Mapping[str, str]) -> tuple[Part, Path]:
        number = len(self.parts)
        ready = self.folder / f"{number}-{name}.ready"
        log = self.folder / f"{number}-{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tasuki", *words, "--ready-file", str(ready)],
                env={**self.environment, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.folder,
            )
        part = Part(name, process, log)
        self.parts.append(part)

        def is_ready() -> bool:
            if process.poll() is not None:
                raise EndedEarly(f"{name} ended with {process.returncode}:\n{part.tail()}")
            # A web process writes its address into it, a moment after the file is there.
            return ready.exists() and (name != "web" or bool(ready.read_text()))

        deadline = time.monotonic() + _START_WITHIN_S
        while not is_ready():
            if time.monotonic() > deadline:
                raise AssertionError(f"{name} did not start:\n{part.tail()}")
            time.sleep(0.02)
        return part, ready
