"""Clients that stop reading or vanish, and a thousand that are sent away at once."""

import asyncio
import resource
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from statistics import median

import psutil
import pytest
from pydantic import SecretStr

from chaos.realtime.crowd import Crowd, Guest, all_of
from chaos.realtime.doors import Said
from chaos.realtime.storm import MODULE
from support.client import Client
from support.system import Part, System
from support.waiting import until, wait_until
from tasuki import Settings, Tasuki
from tasuki.tasks.settings import TasksSettings

pytestmark = pytest.mark.timeout(240)

CHANNEL = "proof:crowd"
BAD_CHANNEL = "proof:bad"
DRAIN_S = 2.0
_FEWEST_STEPS = 5  # tenths of a second in which somebody is told
_STILL_FLAT_S = 0.5  # a busy machine is no stalled neighbour
_MANY = 500
_FILLING = "x" * 16_000
_WITHIN_S = 30.0


@dataclass
class Hall:
    """A web process, who publishes beside it, and its guests."""

    web: Part
    tasuki: Tasuki
    admin: Client
    crowd: Crowd
    bad_crowd: Crowd
    said: int = 0

    async def say(self, count: int, *, channel: str = CHANNEL) -> None:
        """Publish large words, each with its number and the time."""
        for _ in range(count):
            self.said += 1
            word = f"{self.said} {time.monotonic()} {_FILLING}"
            await self.tasuki.publish(channel, Said(id=word))
            await asyncio.sleep(0.005)

    async def connections(self) -> int:
        """Return how many the web process has."""
        shown = (await self.admin.get("/api/v1/admin/realtime")).json()
        return sum(int(node["connections"]) for node in shown["nodes"])

    async def until_connections(self, count: int) -> None:
        """Wait until it has so many."""

        async def are_there() -> bool:
            return await self.connections() == count

        await wait_until(are_there, within=_WITHIN_S, what=f"{count} connections")


@pytest.fixture
async def hall(tmp_path: Path, database_url: str, redis_url: str) -> AsyncGenerator[Hall]:
    """A web process of ``tasuki web`` with room for a thousand connections of one user."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    env = {
        "TASUKI_TASKS__MODULES": f'["{MODULE}"]',
        "TASUKI_REALTIME__CONNECTIONS_PER_USER": "5000",
        "TASUKI_WEB__DRAIN_S": str(DRAIN_S),
        "TASUKI_WEB__DRAIN_DELAY_S": "0",
    }
    settings = Settings(
        database_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        data_dir=tmp_path,
        tasks=TasksSettings(modules=("chaos.realtime.doors",)),
    )
    async with AsyncExitStack() as stack:
        system = stack.enter_context(System(tmp_path, database_url, redis_url, env))
        web = await asyncio.to_thread(system.web)
        tasuki = await stack.enter_async_context(Tasuki(settings).connected())
        admin = await stack.enter_async_context(Client(base_url=system.url, timeout=20))
        await admin.sign_in()
        crowd, bad_crowd = Crowd(admin, CHANNEL), Crowd(admin, BAD_CHANNEL)
        yield Hall(web, tasuki, admin, crowd, bad_crowd)
        await crowd.leave()
        await bad_crowd.leave()


async def test_who_does_not_read_is_cut_off_and_nobody_else_notices(hall: Hall) -> None:
    """What waits for them is bounded in memory, and all others hear everything as fast as ever."""
    readers = await all_of(hall.crowd.come("stream", 3), hall.crowd.come("socket", 3))
    await hall.say(60)
    await _have_heard(readers, hall.said)
    before = median(delay for reader in readers for delay in reader.delays_s)
    memory = _memory(hall.web)

    stalled = await all_of(
        hall.crowd.come("stream", 5, is_small=True), hall.crowd.come("socket", 5, is_small=True)
    )
    for guest in stalled:
        guest.stall()
    first = hall.said
    await hall.say(120)  # more than the kernel and an outbox hold
    await hall.until_connections(len(readers))
    await _have_heard(readers, hall.said)
    during = median(delay for reader in readers for delay in reader.delays_s[first:])

    assert [reader.numbers for reader in readers] == [list(range(1, hall.said + 1))] * 6
    assert during < max(5 * before, _STILL_FLAT_S), (before, during)
    assert _memory(hall.web) - memory < 48_000_000


async def test_a_thousand_clients_are_sent_away_in_time_and_not_as_one(hall: Hall) -> None:
    """So that they do not come back as one. Those who do not listen hold nobody up."""
    streams, sockets = await asyncio.gather(
        hall.crowd.come("stream", _MANY), hall.crowd.come("socket", _MANY)
    )
    bad = await all_of(
        hall.bad_crowd.come("stream", 4, is_small=True),
        hall.bad_crowd.come("socket", 4, is_small=True),
    )
    for number, guest in enumerate(bad):
        guest.stall() if number % 2 else guest.vanish()
    await hall.say(40, channel=BAD_CHANNEL)  # more than the kernel takes for them
    await hall.say(1)
    await _have_heard([*streams, *sockets], hall.said)

    everybody = [*streams, *sockets]
    began = time.monotonic()
    code = await asyncio.to_thread(hall.web.stop)
    await until(lambda: all(guest.gone_at for guest in everybody), within=_WITHIN_S)
    gone_s = max(guest.gone_at or 0 for guest in everybody) - began
    told_s = [(guest.told_at or 0) - began for guest in everybody]

    assert code == -SIGTERM  # as uvicorn ends when all is done
    assert gone_s < DRAIN_S + 2
    assert {guest.close_code for guest in sockets} == {1012}
    assert all(guest.has_last_frame for guest in streams), streams[0].end
    # In steps over the drain time; a machine that holds everything up may join some of them.
    assert len({int(at * 10) for at in told_s}) >= _FEWEST_STEPS


async def _have_heard(guests: Sequence[Guest], number: int) -> None:
    def have_they() -> bool:
        return all(guest.numbers[-1:] == [number] for guest in guests)

    await until(have_they, within=_WITHIN_S, what=f"word {number}")


def _memory(part: Part) -> int:
    return int(psutil.Process(part.process.pid).memory_info().rss)
