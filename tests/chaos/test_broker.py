"""The broker refuses, stays silent, forgets everything, is killed: accepted work ends."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis.asyncio as redis

from chaos import jobs
from chaos.broker import Mode, Proxy, Valkey
from chaos.house import LONG_S, House, signed_in
from support.client import Client
from support.waiting import wait_until

# Not a measurement (that is in bench/): far above what a 202 takes on a busy machine, far
# below what a call that waits for the broker would take (19 s and more).
_PROMPTLY_S = 2.0


@asynccontextmanager
async def proxied(redis_url: str, mode: Mode) -> AsyncGenerator[Proxy]:
    """A proxy before the broker, in a mode."""
    proxy = Proxy(redis_url)
    await proxy.become("forward")  # so that it has a port
    await proxy.become(mode)
    yield proxy
    await proxy.close()


async def order_promptly(house: House, client: Client, count: int) -> list[str]:
    """Order over HTTP, and check that each answer is a 202 and comes at once."""
    ids = []
    for _ in range(count):
        asked = time.monotonic()
        task_id = await house.order_by_http(client, "chaos.work", house.arguments())
        assert task_id is not None
        assert time.monotonic() - asked < _PROMPTLY_S
        ids.append(task_id)
    return ids


@pytest.mark.parametrize("mode", ["refused", "silent"])
async def test_without_a_broker_orders_are_accepted_and_run_when_it_is_back(
    tmp_path: Path, database_url: str, redis_url: str, mode: Mode
) -> None:
    """P2: a broker that is down costs time, never an order and never the web process."""
    async with proxied(redis_url, mode) as proxy:
        env = {"TASUKI_BROKER_URL": proxy.url}
        async with House(tmp_path, database_url, redis_url, env=env).open() as house:
            web = await house.web()
            async with signed_in(house) as client:
                ids = await order_promptly(house, client, 5)
                if mode == "silent":
                    await wait_until(_has_accepted(proxy), within=LONG_S, what="a try")
                else:
                    await wait_until(
                        _says(web.log, "dispatch_failed"), within=LONG_S, what="a failure"
                    )
                ids += await order_promptly(house, client, 5)
                assert {(await house.record(id_)).state for id_ in ids} == {"queued"}

                await proxy.become("forward")
                await house.worker()
                verdict = await house.verdict()

    assert verdict.is_good, verdict
    assert (verdict.acknowledged, verdict.starts) == (10, 10)


async def test_a_worker_whose_broker_goes_away_comes_back(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """A worker that has to be restarted by hand after each hiccup is of no use at night."""
    async with proxied(redis_url, "forward") as proxy:
        env = {"TASUKI_BROKER_URL": proxy.url}
        async with House(tmp_path, database_url, redis_url, env=env).open() as house:
            await house.worker()
            await house.ended(await house.order(jobs.work))
            await proxy.become("refused")
            waiting = await house.order(jobs.work)
            await proxy.become("forward")

            assert (await house.ended(waiting)).state == "succeeded"


async def test_valkey_restarted_empty_loses_no_task_and_no_event(
    tmp_path: Path, database_url: str, valkey: Valkey
) -> None:
    """Bells, notices, everything in it is gone: all ends, and a watcher sees no hole."""
    async with House(tmp_path, database_url, valkey.url).open() as house:
        await house.start("web", "io")
        async with signed_in(house) as client:
            running = [
                await house.order_by_http(
                    client, "chaos.work", house.arguments(takes_s=4, steps=20)
                )
                for _ in range(3)
            ]
            watching = [house.watch(client, str(id_)) for id_ in running]
            await asyncio.gather(*(house.begun(str(id_)) for id_ in running))
            valkey.kill()
            house.kills.write(what="kill", part="valkey")
            await order_promptly(house, client, 5)
            valkey.start()
            await order_promptly(house, client, 5)

            verdict = await house.verdict()
            await asyncio.wait_for(asyncio.gather(*watching), LONG_S)
            verdict = await house.verdict()

    assert verdict.is_good, verdict
    assert (verdict.acknowledged, verdict.starts) == (13, 13)
    assert len(house.seen.read()) > 3 * 10


async def test_flushall_and_cut_connections_lose_nothing(house: House, redis_url: str) -> None:
    """An operator's slip on the broker is a delay."""
    await house.start("web", "io", "cpu")
    async with signed_in(house) as client, redis.Redis.from_url(redis_url) as valkey:
        long = await house.order_by_http(
            client, "chaos.work", house.arguments(takes_s=3, steps=15)
        )
        watching = house.watch(client, str(long))
        for _ in range(3):
            await order_promptly(house, client, 2)
            await valkey.flushall()
            await house.order(jobs.work_cpu)
            await valkey.client_kill_filter(_type="normal", skipme=True)
            await valkey.client_kill_filter(_type="pubsub", skipme=True)
            await order_promptly(house, client, 1)
        await house.order(jobs.work_cpu)

        verdict = await house.verdict()
        await asyncio.wait_for(watching, LONG_S)
        verdict = await house.verdict()

    assert verdict.is_good, verdict
    assert verdict.acknowledged == 14


async def test_after_a_flushall_new_bells_are_heard_at_once(house: House, redis_url: str) -> None:
    """Nothing the broker forgot may be needed for good, such as which queue is bound to what."""
    await house.start("scheduler", "cpu")
    await house.ended(await house.order(jobs.work_cpu))
    async with redis.Redis.from_url(redis_url) as valkey:
        await valkey.flushall()
    for _ in range(3):
        record = await house.ended(await house.order(jobs.work_cpu), within=15)
        assert record.state == "succeeded"


def _has_accepted(proxy: Proxy) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return proxy.accepted > 0

    return look


def _says(log: Path, word: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return word in log.read_text()

    return look
