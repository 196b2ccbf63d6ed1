"""The client's half of the contest: one process for each system, steered by lines of JSON.

Every system is asked and watched in the same way. Accepting is what a web process would do
(twenty requests at once on one uvloop); done is what a client can see, so it is looked for
with the cheapest question each system offers, equally often.
"""

import asyncio
import json
import sys
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

import uvloop

PRODUCERS = 20
"""Requests at once while a burst is accepted."""

_LOOK_EVERY_S = 0.005
_ASKED_TOGETHER = 200
_GIVE_UP_S = 60.0


class Contestant(Protocol):
    """One system, seen from the process that orders work."""

    async def start(self) -> None:
        """Connect."""
        ...

    async def accept(self, task: str) -> str:
        """Order a task and return its id; it is accepted when this returns."""
        ...

    async def finished(self, ids: list[str]) -> set[str]:
        """Return those whose result a client can see."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


@dataclass
class Measured:
    """What one order after the other took, in seconds.

    Attributes:
        cpu_s: Of all processes together, servers included; filled in by who has them all.
    """

    accept_s: list[float] = field(default_factory=list)
    done_s: list[float] = field(default_factory=list)
    wall_s: float = 0.0
    accept_wall_s: float = 0.0
    cpu_s: float = 0.0


async def burst(contestant: Contestant, task: str, count: int) -> Measured:
    """Order as fast as the system accepts, and wait until all results can be seen."""
    measured = Measured()
    numbers = iter(range(count))
    ids: list[str] = []

    async def produce() -> None:
        for _ in numbers:
            began = time.perf_counter()
            ids.append(await contestant.accept(task))
            measured.accept_s.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with asyncio.timeout(_GIVE_UP_S):
        async with asyncio.TaskGroup() as group:
            for _ in range(PRODUCERS):
                group.create_task(produce())
        measured.accept_wall_s = time.perf_counter() - began
        for start in range(0, count, _ASKED_TOGETHER):
            await _until_finished(contestant, ids[start : start + _ASKED_TOGETHER])
    measured.wall_s = time.perf_counter() - began
    return measured


async def _until_finished(contestant: Contestant, ids: list[str]) -> None:
    pending = ids
    while pending:
        done = await contestant.finished(pending)
        pending = [task_id for task_id in pending if task_id not in done]
        if pending:
            await asyncio.sleep(_LOOK_EVERY_S)


async def steady(contestant: Contestant, task: str, per_s: float, seconds: float) -> Measured:
    """Order at a fixed rate; times count from the planned moment, so that no stall is missed."""
    measured = Measured()
    pending: dict[str, float] = {}
    is_over = False

    async def order(planned: float) -> None:
        task_id = await contestant.accept(task)
        measured.accept_s.append(time.perf_counter() - planned)
        pending[task_id] = planned

    async def watch() -> None:
        while pending or not is_over:
            for task_id in await contestant.finished(list(pending)) if pending else ():
                measured.done_s.append(time.perf_counter() - pending.pop(task_id))
            await asyncio.sleep(_LOOK_EVERY_S)

    began = time.perf_counter()
    async with asyncio.timeout(seconds + _GIVE_UP_S):
        watching = asyncio.create_task(watch())
        async with asyncio.TaskGroup() as group:
            for number in range(int(per_s * seconds)):
                planned = began + number / per_s
                await asyncio.sleep(max(0.0, planned - time.perf_counter()))
                group.create_task(order(planned))
        is_over = True
        await watching
    measured.wall_s = time.perf_counter() - began
    return measured


def serve(contestant: Contestant) -> None:
    """Obey one command a line on standard input until it ends."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(contestant))


async def _serve(contestant: Contestant) -> None:
    await contestant.start()
    _answer({"ready": True})
    while line := await asyncio.to_thread(sys.stdin.readline):
        command: dict[str, Any] = json.loads(line)
        kind = command.pop("do")
        work: Coroutine[Any, Any, Measured] = (
            burst(contestant, **command) if kind == "burst" else steady(contestant, **command)
        )
        _answer(vars(await work))
    await contestant.close()


def _answer(words: dict[str, Any]) -> None:
    print(json.dumps(words), flush=True)
