"""The broker refuses, stays silent, forgets everything, is killed: accepted work ends."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chaos import jobs
from chaos.house import LONG_S, House, signed_in
from support.brokers import Broker, Mode, Proxy
from support.client import Client
from support.waiting import wait_until

# Not a measurement (that is in bench/): far above what a 202 takes on a busy machine, far
# below what a call that waits for the broker would take (19 s and more).
_PROMPTLY_S = 2.0


@asynccontextmanager
async def proxied(broker: Broker, mode: Mode) -> AsyncGenerator[Proxy]:
    """A proxy before the broker, in a mode."""
    proxy = Proxy(broker.url)
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


@pytest.mark.parametrize(
    ("broker", "mode"),
    [("valkey", "refused"), ("valkey", "silent"), ("rabbitmq", "silent")],
    indirect=["broker"],
)
async def test_without_a_broker_orders_are_accepted_and_run_when_it_is_back(
    tmp_path: Path, database_url: str, redis_url: str, broker: Broker, mode: Mode
) -> None:
    """P2: a broker that is down costs time, never an order and never the web process."""
    async with proxied(broker, mode) as proxy:
        house = House(tmp_path, database_url, redis_url, broker_url=proxy.url)
        async with house.open():
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


@pytest.mark.parametrize("broker", ["valkey"], indirect=True)  # others show it on RabbitMQ
async def test_a_worker_whose_broker_goes_away_comes_back(
    tmp_path: Path, database_url: str, redis_url: str, broker: Broker
) -> None:
    """A worker that has to be restarted by hand after each hiccup is of no use at night."""
    async with proxied(broker, "forward") as proxy:
        house = House(tmp_path, database_url, redis_url, broker_url=proxy.url)
        async with house.open():
            await house.worker()
            await house.ended(await house.order(jobs.work))
            await proxy.become("refused")
            waiting = await house.order(jobs.work)
            await proxy.become("forward")

            assert (await house.ended(waiting)).state == "succeeded"


async def test_a_broker_restarted_loses_no_task_and_no_event(
    house_on: House, broker: Broker
) -> None:
    """Valkey comes back empty, bells and notices gone: all ends, and a watcher sees no hole."""
    house = house_on
    await house.start("web", "io")
    async with signed_in(house) as client:
        running = [
            await house.order_by_http(client, "chaos.work", house.arguments(takes_s=4, steps=20))
            for _ in range(3)
        ]
        watching = [house.watch(client, str(id_)) for id_ in running]
        await asyncio.gather(*(house.begun(str(id_)) for id_ in running))
        await asyncio.to_thread(broker.kill)
        house.kills.write(what="kill", part="broker")
        await order_promptly(house, client, 5)
        await asyncio.to_thread(broker.start)
        await order_promptly(house, client, 5)

        verdict = await house.verdict()
        await asyncio.wait_for(asyncio.gather(*watching), LONG_S)
        verdict = await house.verdict()

    assert verdict.is_good, verdict
    assert (verdict.acknowledged, verdict.starts) == (13, 13)
    assert len(house.seen.read()) > 3 * 10


async def test_a_broker_that_forgets_and_cut_connections_lose_nothing(
    house_on: House, broker: Broker
) -> None:
    """An operator's slip on the broker is a delay."""
    house = house_on
    await house.start("web", "io", "cpu")
    async with signed_in(house) as client:
        long = await house.order_by_http(
            client, "chaos.work", house.arguments(takes_s=3, steps=15)
        )
        watching = house.watch(client, str(long))
        for _ in range(3):
            await order_promptly(house, client, 2)
            await asyncio.to_thread(broker.forget)
            await house.order(jobs.work_cpu)
            await asyncio.to_thread(broker.cut)
            await order_promptly(house, client, 1)
        await house.order(jobs.work_cpu)

        verdict = await house.verdict()
        await asyncio.wait_for(watching, LONG_S)
        verdict = await house.verdict()

    assert verdict.is_good, verdict
    assert verdict.acknowledged == 14


@pytest.mark.parametrize("broker", ["valkey"], indirect=True)  # others show it on RabbitMQ
async def test_after_the_broker_forgot_all_new_bells_are_heard_at_once(
    house_on: House, broker: Broker
) -> None:
    """Nothing it forgot may be needed for good, such as which queue is bound to what."""
    house = house_on
    await house.start("scheduler", "cpu")
    await house.ended(await house.order(jobs.work_cpu))
    await asyncio.to_thread(broker.forget)
    for _ in range(3):
        record = await house.ended(await house.order(jobs.work_cpu), within=15)
        assert record.state == "succeeded"


async def test_while_the_broker_has_no_memory_orders_are_accepted_and_run_afterwards(
    house_on: House, broker: Broker
) -> None:
    """RabbitMQ stops reading from whoever publishes, Valkey refuses: nobody waits for either."""
    house = house_on
    web = (await house.start("web", "io"))["web"]
    async with signed_in(house) as client:
        with broker.out_of_memory():
            await order_promptly(house, client, 5)
            failure = _says(web.log, "dispatch_failed")
            await wait_until(failure, within=LONG_S, what="a failure")
            await order_promptly(house, client, 5)

        verdict = await house.verdict()

    assert verdict.is_good, verdict
    assert (verdict.acknowledged, verdict.starts) == (10, 10)


def _has_accepted(proxy: Proxy) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return proxy.accepted > 0

    return look


def _says(log: Path, word: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return word in log.read_text()

    return look
