"""What notices promise, within a process and across processes."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
import redis.asyncio as redis

from support.waiting import wait_until
from tasuki.core.notices import MemoryNotices, Notices, Waiter
from tasuki.realtime import RedisNotices


@pytest.fixture(params=["memory", "redis"])
async def ends(request: pytest.FixtureRequest, redis_url: str) -> AsyncGenerator[list[Notices]]:
    """A sender and a listener: one object in a process, two of them across processes."""
    if request.param == "memory":
        notices = MemoryNotices()
        yield [notices, notices]
        return
    pair = [RedisNotices(redis_url), RedisNotices(redis_url)]
    for one in pair:
        await one.start()
    await until_heard(pair[0], pair[1])
    yield list(pair)
    for one in pair:
        await one.close()


async def until_heard(sender: Notices, listener: Notices) -> None:
    """Wait until the listener's connection is there."""
    with listener.listen("hello") as waiter:

        async def is_heard() -> bool:
            sender.send("hello")
            return await waiter.wait(within_s=0.1)

        await wait_until(is_heard, within=10)


async def test_who_listens_to_a_key_is_woken(ends: list[Notices]) -> None:
    """And who listens to another is not."""
    sender, listener = ends
    with listener.listen("a", "b") as mine, listener.listen("c") as other:
        sender.send("b")

        assert await mine.wait(within_s=5)
        assert not other.came()


async def test_a_notice_that_came_before_the_wait_counts(ends: list[Notices]) -> None:
    """Between looking and waiting nothing is missed."""
    sender, listener = ends
    with listener.listen("a") as first, listener.listen("a") as second:
        sender.send("a")
        assert await first.wait(within_s=5)

        async def second_has_it() -> bool:
            return second.came()

        await wait_until(second_has_it, within=5)


async def test_without_a_notice_a_wait_ends_in_time(ends: list[Notices]) -> None:
    """Every listener also looks on its own."""
    with ends[1].listen("a") as waiter:
        assert not await waiter.wait(within_s=0.05)


async def test_who_stopped_listening_is_forgotten(ends: list[Notices]) -> None:
    """Nothing is kept for those who left."""
    sender, listener = ends
    with listener.listen("a") as gone:
        pass
    with listener.listen("a") as here:
        sender.send("a")
        assert await here.wait(within_s=5)

    assert not gone.came()


async def test_everybody_can_be_woken(ends: list[Notices]) -> None:
    """A process that stops, or that may have missed something, says so to all."""
    with ends[1].listen("a") as one, ends[1].listen("b") as another:
        ends[1].wake_all()

        assert one.came()
        assert another.came()


async def test_lost_connections_and_garbage_cost_no_listener(redis_url: str) -> None:
    """After a reconnect everybody is woken, since nobody knows what was missed."""
    notices = RedisNotices(redis_url)
    await notices.start()
    try:
        await until_heard(notices, notices)
        with notices.listen("never sent") as waiter:
            async with redis.Redis.from_url(redis_url) as client:
                for garbage in ("[" * 5_000, "{}", '["a", 1]', b"\xff"):
                    await client.publish("tasuki:notices", garbage)
                await client.client_kill_filter(_type="pubsub", skipme=True)
            assert await waiter.wait(within_s=10)
        await until_heard(notices, notices)
    finally:
        await asyncio.wait_for(notices.close(), 10)


async def test_sending_without_a_server_fails_nobody() -> None:
    """Losing notices costs a delay, and never an answer; here they still arrive in the process."""
    notices = RedisNotices("redis://127.0.0.1:1/0")
    await notices.start()
    try:
        with notices.listen("a") as waiter:
            notices.send("a")
            assert isinstance(waiter, Waiter)
            assert await waiter.wait(within_s=5)
    finally:
        await asyncio.wait_for(notices.close(), 10)
