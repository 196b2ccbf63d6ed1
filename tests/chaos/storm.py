"""A random schedule of orders and faults, the same for the same seed, and its verdict.

The schedule decides what happens and in which order; when exactly a kill meets a task is up
to the machine. So a red seed is a strong hint and not always a repetition.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import httpx
from redis.exceptions import RedisError

from chaos.house import LEASE_S, LONG_S, House, children, signed_in
from chaos.ledger import TERMINAL, Verdict
from support.brokers import Broker
from support.client import Client

_CLIENTS = 3
_ROLES = ("io", "cpu", "web", "scheduler")


class Storm:
    """One run on a house of its own.

    Args:
        broker: What the house's bells go through; it is killed as well.
        seed: Same seed, same schedule.
    """

    def __init__(self, house: House, broker: Broker, *, seed: int) -> None:
        self._house = house
        self._broker = broker
        self._faults = _numbers(seed, "faults")
        self._orders = [_numbers(seed, f"orders {number}") for number in range(_CLIENTS)]
        self._is_over = False
        self._watching: list[asyncio.Task[None]] = []

    async def run(self, *, for_s: float) -> Verdict:
        """Order and break things for so long, then let all end, and judge."""
        house = self._house
        await house.keep("web", house.web)
        await asyncio.gather(
            house.keep("scheduler", house.scheduler),
            house.keep_worker("io"),
            house.keep_worker("cpu", "--concurrency", "2"),
        )
        async with signed_in(house) as client:
            parties = [self._order_for_ever(client, rng) for rng in self._orders]
            going = asyncio.gather(*parties, self._look_for_ever())
            deadline = time.monotonic() + for_s
            while time.monotonic() < deadline:
                await self._break_something()
                await asyncio.sleep(self._faults.uniform(0.2, 1.5))
            self._is_over = True
            await going
            verdict = await house.verdict(within=2 * LONG_S)
            if self._watching:
                await asyncio.wait(self._watching, timeout=LONG_S)
                verdict = await house.verdict(within=0)
        return verdict

    async def _order_for_ever(self, client: Client, rng: random.Random) -> None:
        while not self._is_over:
            await asyncio.sleep(rng.uniform(0.05, 0.4))
            name, args = self._random_order(rng)
            is_patient, is_watched, is_cancelled = (rng.random() < p for p in (0.7, 0.2, 0.1))
            task_id = await self._house.order_by_http(client, name, args)
            while task_id is None and is_patient:
                await asyncio.sleep(0.2)
                task_id = await self._house.order_by_http(client, name, args)
            if task_id is None:
                continue
            if is_watched:
                self._watching.append(self._house.watch(client, task_id))
            if is_cancelled:
                with contextlib.suppress(httpx.TransportError):
                    await client.post(f"{self._house.system.url}/api/v1/tasks/{task_id}/cancel")

    def _random_order(self, rng: random.Random) -> tuple[str, dict[str, Any]]:
        kind = rng.choices(
            ["quick", "slow", "steps", "raise", "poison"], weights=[10, 6, 5, 3, 0.2]
        )[0]
        how: dict[str, dict[str, Any]] = {
            "quick": {},
            "slow": {"takes_s": rng.uniform(0.2, 2 * LEASE_S)},
            "steps": {"takes_s": 1.5, "steps": 6},
            "raise": {"how": "raise"},
            "poison": {"how": rng.choice(["kill", "exit", "segfault"])},
        }
        name = rng.choices(["chaos.work", "chaos.work_cpu"], weights=[3, 1])[0]
        return name, self._house.arguments(**how[kind])

    async def _look_for_ever(self) -> None:
        while not self._is_over:
            for task in await self._house.tasks():
                if task.state in TERMINAL:
                    self._house.ends.write(id=task.id, state=task.state)
            await asyncio.sleep(1)

    async def _break_something(self) -> None:
        faults: list[Callable[[], Awaitable[None]]] = [
            self._kill,
            self._kill,
            self._kill_child,
            self._stall,
            self._forget,
            self._cut,
            self._restart_broker,
            self._ring_in_vain,
        ]
        await self._faults.choice(faults)()

    async def _kill(self) -> None:
        role = self._faults.choice(_ROLES)
        self._house.kill(self._house.kept[role], "storm")

    async def _kill_child(self) -> None:
        with contextlib.suppress(Exception):  # it may have died this very moment
            found = children(self._house.kept["cpu"])
            if found:
                self._house.kill_pid(self._faults.choice(found))

    async def _stall(self) -> None:
        """Stop a worker past its lease, and let it go on as if nothing had been."""
        part = self._house.kept[self._faults.choice(["io", "cpu"])]
        self._house.kills.write(what="stall", part=part.name)
        with contextlib.suppress(ProcessLookupError):
            part.signal(signal.SIGSTOP)
            await asyncio.sleep(LEASE_S * self._faults.uniform(0.5, 2))
            part.signal(signal.SIGCONT)

    async def _forget(self) -> None:
        self._house.kills.write(what="forget")
        await _try(self._broker.forget)

    async def _cut(self) -> None:
        self._house.kills.write(what="cut")
        await _try(self._broker.cut)

    async def _restart_broker(self) -> None:
        self._house.kills.write(what="kill", part="broker")
        await asyncio.to_thread(self._broker.kill)
        await asyncio.sleep(self._faults.uniform(0, 1))
        await asyncio.to_thread(self._broker.start)

    async def _ring_in_vain(self) -> None:
        """Push what no worker can read."""
        self._house.kills.write(what="garbage")
        for queue in ("default", "default.cpu"):
            text = json.dumps({"body": os.urandom(8).hex(), "properties": {}})
            bodies = (text.encode(), uuid.uuid4().bytes)
            await _try(partial(self._broker.spoil, queue, *bodies))


async def _try(fault: Callable[[], None]) -> None:
    """Do it, unless the broker is in no state for it."""
    with contextlib.suppress(RedisError, OSError, subprocess.SubprocessError):
        await asyncio.to_thread(fault)


def _numbers(seed: int, use: str) -> random.Random:
    return random.Random(f"{seed} {use}")  # noqa: S311  # a schedule, no secret
