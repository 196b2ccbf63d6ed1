"""A random schedule of orders and faults, the same for the same seed, and its verdict.

The schedule decides what happens and in which order; when exactly a kill meets a task is up
to the machine. So a red seed is a strong hint and not always a repetition.
"""

import asyncio
import contextlib
import random
import time
from typing import Any

import httpx

from chaos.faults import Faults
from chaos.house import LEASE_S, LONG_S, House, signed_in
from chaos.ledger import TERMINAL, Verdict
from support.brokers import Broker
from support.client import Client
from support.databases import Postgres

_CLIENTS = 3
_LANES = {"chaos.work": 5, "chaos.work_cpu": 2, "chaos.work_local": 2}  # how often
_POISON = ("chaos.endless", "chaos.endless_cpu", "chaos.greedy")
_CHANCE_OF_POISON = 0.008


class Storm:
    """One run on a house of its own.

    Args:
        brokers: What the house's bells and notices go through; they are killed as well.
        seed: Same seed, same schedule.
        postgres: The house's database server, if nobody else uses it.
    """

    def __init__(
        self, house: House, *brokers: Broker, seed: int, postgres: Postgres | None = None
    ) -> None:
        self._house = house
        self._faults = Faults(house, brokers, postgres, _numbers(seed, "faults"))
        self._pauses = _numbers(seed, "pauses")
        self._orders = [_numbers(seed, f"orders {number}") for number in range(_CLIENTS)]
        self._is_over = False
        self._watching: list[asyncio.Task[None]] = []
        self._given_up: list[tuple[str, dict[str, Any]]] = []
        self._cancelling: list[asyncio.Task[None]] = []

    async def run(self, *, for_s: float, strikes: int = 1) -> Verdict:
        """Order and break things for so long, then let all end, and judge.

        Args:
            strikes: Go on until so many things were broken, on a machine that is slow.
        """
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
            struck = 0
            while time.monotonic() < deadline or struck < strikes:
                struck += 1
                await self._faults.strike()
                await asyncio.sleep(self._pauses.uniform(0.2, 1.5))
            self._is_over = True
            await going
            await asyncio.gather(*self._cancelling, self._come_back(client))
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
            if task_id is None and not is_patient:
                self._given_up.append((name, args))
                continue
            while task_id is None:
                task_id = await self._order_again(client, name, args)
            if is_watched:
                self._watching.append(self._house.watch(client, task_id))
            if is_cancelled:
                pauses = [rng.uniform(0, 1.5) for _ in range(rng.choice([1, 1, 2]))]
                self._cancelling.append(self._house.own(self._cancel(client, task_id, pauses)))

    async def _order_again(self, client: Client, name: str, args: dict[str, Any]) -> str | None:
        await asyncio.sleep(0.2)
        return await self._house.order_by_http(client, name, args)

    async def _come_back(self, client: Client) -> None:
        """Order again what was given up, under the same keys: some of it was accepted."""
        for name, args in self._given_up:
            while await self._order_again(client, name, args) is None:
                pass

    async def _cancel(self, client: Client, task_id: str, pauses: list[float]) -> None:
        """Cancel it: before its claim, in its run, at its end or after it, perhaps twice."""
        for pause_s in pauses:
            await asyncio.sleep(pause_s)
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
        name = rng.choices(list(_LANES), weights=list(_LANES.values()))[0]
        if rng.random() < _CHANCE_OF_POISON:
            return rng.choice(_POISON), self._house.arguments()
        return name, self._house.arguments(**how[kind])

    async def _look_for_ever(self) -> None:
        while not self._is_over:
            for task in await self._house.tasks():
                if task.state in TERMINAL:
                    self._house.ends.write(id=task.id, state=task.state)
            await asyncio.sleep(1)


def _numbers(seed: int, use: str) -> random.Random:
    return random.Random(f"{seed} {use}")  # noqa: S311  # a schedule, no secret
