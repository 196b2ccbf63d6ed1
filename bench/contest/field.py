"""Servers, workers and clients of the contest, as child processes in a folder of their own."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from bench.contest.harness import Measured

from tasuki.embedded import PostgresServer, ValkeyServer, run_server
from tasuki.wiring.migrations import runner

ROOT = Path(__file__).parents[2]
_BIN = Path(sys.executable).parent
_START_S = 60.0
_STOP_S = 15.0


@dataclass(frozen=True)
class Servers:
    """Where PostgreSQL and Valkey are; both keep what they acknowledged."""

    database_url: str
    redis_url: str


@contextmanager
def servers(folder: Path) -> Generator[Servers]:
    """Run both as `tasuki up` runs them: commits are synced, Valkey writes its log."""
    folder.chmod(0o700)
    postgres, valkey = PostgresServer.prepare(folder), ValkeyServer.prepare(folder)
    with run_server(postgres), run_server(valkey):
        asyncio.run(runner.upgrade(postgres.dsn))
        yield Servers(postgres.dsn, valkey.url)


def environment(servers: Servers, folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of all child processes."""
    ours = ("TASUKI_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "BENCH_REDIS_URL": servers.redis_url,
        "TASUKI_DATABASE_URL": servers.database_url,
        "TASUKI_REDIS_URL": servers.redis_url,
        "TASUKI_DATA_DIR": str(folder),
        "TASUKI_TASKS__MODULES": '["bench.contest.tasuki_jobs"]',
        **more,
    }


@contextmanager
def process(
    argv: Sequence[str], env: Mapping[str, str], log: Path, **pipes: Any
) -> Generator[subprocess.Popen[str]]:
    """Run a child for the length of a block; what it says goes to a file."""
    with log.open("w") as output:
        child = subprocess.Popen(
            argv,
            env=env,
            stderr=output,
            text=True,
            cwd=log.parent,
            start_new_session=True,
            **{"stdout": output, "stdin": subprocess.DEVNULL, **pipes},
        )
    try:
        yield child
    finally:
        _end(child)


def _end(child: subprocess.Popen[str]) -> None:
    family = [psutil.Process(child.pid)] if child.poll() is None else []
    family += family[0].children(recursive=True) if family else []
    child.terminate()
    try:
        child.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(_STOP_S)
    for one in family:
        if one.is_running():
            one.kill()


def wait_for(child: subprocess.Popen[str], log: Path, sign: str | Path) -> None:
    """Wait until a worker says its word, or makes its file."""
    deadline = time.monotonic() + _START_S
    while True:
        text = log.read_text(errors="replace")
        if sign.exists() if isinstance(sign, Path) else sign in text:
            return
        if child.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"{log.stem} did not start:\n{text[-3000:]}")
        time.sleep(0.02)


class Steered:
    """A child process that answers each line of JSON with one of its own."""

    def __init__(self, child: subprocess.Popen[str], log: Path) -> None:
        self.child = child
        self._log = log

    def ask(self, **command: Any) -> dict[str, Any]:
        """Have something done, and return what the child says of it."""
        self.tell(**command)
        return self.read()

    def tell(self, **command: Any) -> None:
        """Have something done; `read` the answer later."""
        assert self.child.stdin is not None
        self.child.stdin.write(json.dumps(command) + "\n")
        self.child.stdin.flush()

    def read(self) -> dict[str, Any]:
        """Return the next answer."""
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit(f"{self._log.stem} ended:\n{self._log.read_text()[-3000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


class Client(Steered):
    """The process that orders; see `harness`."""

    def __init__(self, child: subprocess.Popen[str], log: Path) -> None:
        super().__init__(child, log)
        self.read()

    def burst(self, task: str, count: int) -> Measured:
        """See `harness.burst`."""
        return Measured(**self.ask(do="burst", task=task, count=count))

    def steady(self, task: str, per_s: float, seconds: float) -> Measured:
        """See `harness.steady`."""
        return Measured(**self.ask(do="steady", task=task, per_s=per_s, seconds=seconds))


@dataclass(frozen=True)
class Side:
    """One system, ready to be measured."""

    client: Client
    workers: Mapping[str, subprocess.Popen[str]]


class Field:
    """Starts the systems; all of them end with the stack."""

    def __init__(self, stack: ExitStack, where: Servers, folder: Path) -> None:
        self._stack = stack
        self._where = where
        self._folder = folder

    def tasuki(self) -> Side:
        """One io worker with its hundred tasks."""
        ready = self._folder / "tasuki-worker.ready"
        argv = [*_python("tasuki"), "worker", "--lane", "io", "--ready-file", str(ready)]
        worker = self._worker("tasuki-worker", argv, ready)
        return Side(self._client("tasuki"), {"io": worker})

    def celery(self) -> Side:
        """A thread pool for what waits, and processes, one a core of the machine here."""
        base = [*_python("celery"), "-A", "bench.contest.celery_side", "worker"]
        pools = {
            "threads": (["-P", "threads", "-c", "100"], "1"),
            "prefork": (["-P", "prefork", "-c", "2"], "4"),
        }
        workers = {
            pool: self._worker(
                f"celery-{pool}",
                [*base, *options, "-Q", pool, "-n", f"{pool}@bench", "--loglevel=INFO"],
                " ready.",
                BENCH_PREFETCH=prefetch,
            )
            for pool, (options, prefetch) in pools.items()
        }
        return Side(self._client("celery"), workers)

    def taskiq(self) -> Side:
        """One worker process with its hundred tasks."""
        argv = [str(_BIN / "taskiq"), "worker", "bench.contest.taskiq_side:broker"]
        argv += ["--workers", "1", "--max-async-tasks", "100"]
        worker = self._worker("taskiq-worker", argv, "Listening started.")
        return Side(self._client("taskiq"), {"async": worker})

    def _worker(
        self, name: str, argv: Sequence[str], sign: str | Path, **env: str
    ) -> subprocess.Popen[str]:
        log = self._folder / f"{name}.log"
        variables = environment(self._where, self._folder, **env)
        child = self._stack.enter_context(process(argv, variables, log))
        wait_for(child, log, sign)
        return child

    def _client(self, name: str) -> Client:
        log = self._folder / f"{name}-client.log"
        argv = _python(f"bench.contest.{name}_side")
        child = self._stack.enter_context(
            process(
                argv,
                environment(self._where, self._folder),
                log,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
        return Client(child, log)


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def memory_mb(pid: int) -> float:
    """Return the memory of a process and all it started; shared pages are shared out (PSS)."""
    parent = psutil.Process(pid)
    family = [parent, *parent.children(recursive=True)]
    return float(sum(one.memory_full_info().pss for one in family)) / 1e6


def cpu_s() -> float:
    """Return the seconds of CPU that all our child processes have taken, servers included."""
    total = 0.0
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            total += sum(child.cpu_times()[:2])
    return total
