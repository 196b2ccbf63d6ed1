"""What a ringer promises: bells arrive, or somebody hears that they did not."""

import asyncio
import base64
import contextlib
import json
import socket
import time
from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest
import redis.asyncio as redis

from support.servers import free_port
from tasuki.tasks.celery import CeleryRinger, broker_answers, build_celery_app
from tasuki.tasks.engine.dispatcher import BrokerUnavailable, few, together
from tasuki.tasks.engine.repository import Bell
from tasuki.wiring.services import load_declared

CATALOGUE = load_declared(("support.jobs",)).catalogue
_LIMIT_S = 12.0  # below the dispatcher's own, so that it learns the reason


def bell(queue: str = "default", lane: str = "io", *, last_chance: bool = False) -> Bell:
    """Return one bell."""
    return Bell(name="test.echo", queue=queue, lane=lane, task_id=uuid4(), last_chance=last_chance)


@contextlib.asynccontextmanager
async def ringing(url: str) -> AsyncGenerator[CeleryRinger]:
    """A ringer on a broker."""
    ringer = CeleryRinger(build_celery_app(url, CATALOGUE))
    try:
        yield ringer
    finally:
        await ringer.close()


async def rung(url: str, queue: str) -> list[str]:
    """Return the ids of the tasks whose bells wait in a broker's queue, oldest first."""
    async with redis.Redis.from_url(url) as client:
        messages = await client.lrange(f"tasuki:{queue}", 0, -1)
    bodies = [base64.b64decode(json.loads(message)["body"]) for message in reversed(messages)]
    return [json.loads(body)[1]["task_id"] for body in bodies]


async def test_bells_arrive_in_order_where_their_lane_looks(redis_url: str) -> None:
    """A queue's second lane has a broker queue of its own."""
    bells = [bell() for _ in range(3)]
    async with ringing(redis_url) as ringer:
        await ringer.ring([*bells, bell("reports", "cpu"), bell("reports", "io")])

    found = await rung(redis_url, "default")
    assert found == [str(one.task_id) for one in bells]
    assert len(await rung(redis_url, "reports")) == 1
    assert len(await rung(redis_url, "reports.io")) == 1


async def test_a_ringer_survives_lost_connections(redis_url: str) -> None:
    """The same ringer rings again when the broker is back."""
    async with ringing(redis_url) as ringer:
        await ringer.ring([bell()])
        async with redis.Redis.from_url(redis_url) as client:
            await client.client_kill_filter(_type="normal", skipme=True)
        with contextlib.suppress(BrokerUnavailable):
            await ringer.ring([bell()])
        await ringer.ring([bell()])

    assert len(await rung(redis_url, "default")) >= 2


async def test_a_broker_that_refuses_is_told_of_soon() -> None:
    """Somebody waits for the answer."""
    began = time.monotonic()
    url = f"redis://127.0.0.1:{free_port()}/0"
    async with ringing(url) as ringer:
        with pytest.raises(BrokerUnavailable):
            await ringer.ring([bell()])

    assert time.monotonic() - began < _LIMIT_S
    with pytest.raises(BrokerUnavailable):
        await asyncio.to_thread(broker_answers, url)


async def test_a_broker_that_stays_silent_is_told_of_in_time() -> None:
    """It accepts the connection and never answers; without limits this would hang for ever."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        async with ringing(f"redis://127.0.0.1:{silent.getsockname()[1]}/0") as ringer:
            with pytest.raises(BrokerUnavailable):
                await ringer.ring([bell()])

    assert time.monotonic() - began < _LIMIT_S


def test_many_rows_share_bells_where_one_process_takes_many() -> None:
    """In the io lane; a child of the cpu lane takes one, and a last chance is taken alone."""
    rows = [bell() for _ in range(100)]

    assert len(together(rows)) == 4
    assert len(together(rows[:3])) == 3
    assert len(together([bell("reports", "cpu") for _ in range(10)])) == 10
    assert len(together([bell(last_chance=True) for _ in range(10)])) == 10
    assert len(few(rows)) == 4
