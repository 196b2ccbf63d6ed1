"""A new version is rolled out: each process is stopped and started while orders come in."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import httpx

from chaos.house import House
from support.balancer import Balancer
from support.client import Client
from support.servers import free_port
from support.system import Part

_EVERY_S = 0.04
Start = Callable[[], Awaitable[Part]]
_ORDERS = (
    ("chaos.work", {"takes_s": 0.3}),
    ("chaos.work_local", {"takes_s": 0.3}),
    ("chaos.work", {"takes_s": 6, "steps": 30}),
    ("chaos.work_cpu", {"takes_s": 0.1}),
)
# What was rung for and not heard is not rung for again: everything has to be handed on.
_ENV = {"TASUKI_TASKS__RING_AGAIN_S": "600", "TASUKI_TASKS__LEASE_S": "20"}


async def test_no_order_is_lost_or_refused_while_each_process_is_restarted(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """Nobody has to wait for the night to install a new version."""
    house = House(tmp_path, database_url, redis_url, env=_ENV)
    ports = [free_port(), free_port()]
    async with house.open(), Balancer(ports).running() as balancer:
        grace = ("--stop-grace-s", "0.5")
        turns: list[dict[str, Start]] = [
            {
                "web": lambda: house.web(ports[0]),
                "io": lambda: house.worker("io", *grace),
                "scheduler": house.scheduler,
            },
            {"web": lambda: house.web(ports[1]), "io": lambda: house.worker("io", *grace)},
            {"cpu": lambda: house.worker("cpu", "--concurrency", "1", *grace)},
        ]
        starts = [start for turn in turns for start in turn.values()]
        parts = await asyncio.gather(*(start() for start in starts))
        house.system.url = balancer.url
        async with ordering(house):
            for turn in turns:
                own, parts = parts[: len(turn)], parts[len(turn) :]
                await asyncio.gather(*(asyncio.to_thread(part.stop) for part in own))
                await asyncio.gather(*(start() for start in turn.values()))
                house.system.url = balancer.url
        verdict = await house.verdict()

    assert verdict.is_good, verdict
    assert [line for line in house.attempts.read() if line["outcome"] != "ok"] == []
    assert verdict.starts > verdict.ended  # some were handed over in mid-run
    assert {task.attempt for task in await house.tasks()} == {1}


@contextlib.asynccontextmanager
async def ordering(house: House) -> AsyncGenerator[None]:
    """Order all the time, some by connections that are kept, and watch some of it."""
    limits = httpx.Limits(max_keepalive_connections=0)
    async with (
        Client(base_url=house.system.url, timeout=20, limits=limits) as client,
        Client(base_url=house.system.url, timeout=20) as keeping,
    ):
        await client.sign_in()
        keeping.cookies = client.cookies
        placing: list[asyncio.Task[None]] = []
        watching: list[asyncio.Task[None]] = []

        async def place(number: int) -> None:
            name, args = _ORDERS[number % len(_ORDERS)]
            by = keeping if number % 3 == 0 else client
            task_id = await house.order_by_http(by, name, house.arguments(**args))
            if task_id is not None and number % 20 == 2:
                watching.append(house.watch(client, task_id))

        async def place_for_ever() -> None:
            number = 0
            while True:
                number += 1
                placing.append(asyncio.create_task(place(number)))
                await asyncio.sleep(_EVERY_S)

        going = asyncio.create_task(place_for_ever())
        yield
        going.cancel()
        await asyncio.wait_for(asyncio.gather(*placing), 60)
        await asyncio.wait_for(asyncio.gather(*watching), 60)
