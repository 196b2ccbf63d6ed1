"""What a ringer promises on every broker: bells arrive, or somebody hears that they did not."""

import asyncio
import contextlib
import threading
import time
import uuid
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import pytest
from amqp.exceptions import NotFound
from kombu import Queue

from support.brokers import Broker, Mode, Proxy
from support.waiting import wait_until
from tasuki.tasks.brokers import MALFORMED
from tasuki.tasks.celery import broker_answers, build_celery_app
from tasuki.tasks.engine.dispatcher import BrokerUnavailable
from tasuki.tasks.engine.repository import Bell
from tasuki.tasks.observing.broker import BrokerDepths
from tasuki.tasks.ringer import CeleryRinger
from tasuki.wiring.declared import load_declared

CATALOGUE = load_declared(("support.jobs",)).catalogue

_LIMIT_S = 12.0
"""A ring, successful or not. Below the dispatcher's 15 s, so that it learns the reason."""


def bells(count: int, *, name: str = "test.echo", queue: str = "default") -> list[Bell]:
    """Return so many bells."""
    return [Bell(name=name, queue=queue, lane="io", task_id=uuid.uuid4()) for _ in range(count)]


def rung(url: str, queue: str = "default") -> list[dict[str, Any]]:
    """Take all bells out of one of the broker's queues, and return what they say.

    What is no bell is taken out as well, and left out here.
    """
    found: list[dict[str, Any]] = []
    app = build_celery_app(url, CATALOGUE)
    with app.connection_for_read() as connection, contextlib.suppress(NotFound):
        taking = Queue(queue).bind(connection.channel())
        while True:
            with contextlib.suppress(*MALFORMED):
                message = taking.get(no_ack=True)
                if message is None:
                    break
                found.append({"task": message.headers["task"], **message.payload[1]})
    return found


def ids(found: list[dict[str, Any]]) -> list[uuid.UUID]:
    """Return the tasks that were rung for."""
    return [uuid.UUID(bell["task_id"]) for bell in found]


@pytest.fixture
async def ringer(broker: Broker) -> AsyncGenerator[CeleryRinger]:
    """A ringer on a broker that is well."""
    made = CeleryRinger(build_celery_app(broker.url, CATALOGUE))
    yield made
    await made.close()


@pytest.fixture
async def proxy(broker: Broker) -> AsyncGenerator[Proxy]:
    """A proxy before the broker; it hands on until it is told otherwise."""
    made = Proxy(broker.url)
    await made.become("forward")
    yield made
    await made.close()


@pytest.fixture
async def proxied(proxy: Proxy) -> AsyncGenerator[CeleryRinger]:
    """A ringer behind the proxy."""
    made = CeleryRinger(build_celery_app(proxy.url, CATALOGUE))
    yield made
    await made.close()


async def fails_in_time(ringer: CeleryRinger) -> str:
    """Ring in vain, and return what is said about it."""
    begun = time.monotonic()
    with pytest.raises(BrokerUnavailable) as caught:
        await ringer.ring(bells(3))
    assert time.monotonic() - begun < _LIMIT_S
    return str(caught.value)


async def test_bells_arrive_in_order_at_the_queue_of_their_queue_and_lane(
    broker: Broker, ringer: CeleryRinger
) -> None:
    """A worker listens to the queues of its lane, and the longest wait is answered first."""
    io = bells(3)
    alone = Bell(
        name="test.echo", queue="default", lane="io", task_id=uuid.uuid4(), last_chance=True
    )
    cpu = Bell(name="test.echo_cpu", queue="default", lane="cpu", task_id=uuid.uuid4())
    report = Bell(name="reports.user_activity", queue="reports", lane="cpu", task_id=uuid.uuid4())
    light = Bell(name="test.echo", queue="reports", lane="io", task_id=uuid.uuid4())

    await ringer.ring([*io, cpu, report, light, alone])

    found = rung(broker.url)
    assert ids(found) == [bell.task_id for bell in [*io, alone]]
    assert [bell["last_chance"] for bell in found] == [False, False, False, True]
    assert {(bell["task"], bell["queue"]) for bell in found} == {("test.echo", "default")}
    assert ids(rung(broker.url, "default.cpu")) == [cpu.task_id]
    assert ids(rung(broker.url, "reports")) == [report.task_id]
    assert ids(rung(broker.url, "reports.io")) == [light.task_id]


async def test_a_queue_that_only_newer_code_knows_is_rung_like_others(
    broker: Broker, ringer: CeleryRinger
) -> None:
    """While a new version is rolled out, an old dispatcher may meet its rows first."""
    newer, known = bells(1, name="newer.task", queue="newer"), bells(1)

    await ringer.ring([*newer, *known])

    assert ids(rung(broker.url, "newer")) == [newer[0].task_id]
    assert ids(rung(broker.url)) == [known[0].task_id]


async def test_cut_connections_cost_one_ring_at_most(broker: Broker, ringer: CeleryRinger) -> None:
    """A firewall or an operator ends connections; the same ringer makes a new one."""
    await ringer.ring(bells(1))
    await asyncio.to_thread(broker.cut)
    with contextlib.suppress(BrokerUnavailable):
        await ringer.ring(bells(1))
    after = bells(1)

    await ringer.ring(after)

    assert ids(rung(broker.url))[-1] == after[0].task_id


async def test_a_large_batch_arrives_whole_and_in_order(
    broker: Broker, ringer: CeleryRinger
) -> None:
    """A dispatcher rings for 500 rows at once; each of them counts on its bell."""
    many = bells(500)
    begun = time.monotonic()

    await ringer.ring(many)

    assert time.monotonic() - begun < _LIMIT_S
    assert ids(rung(broker.url)) == [bell.task_id for bell in many]


async def test_ringing_for_nobody_is_fine(broker: Broker, ringer: CeleryRinger) -> None:
    """Nothing to ring for is no fault."""
    await ringer.ring([])

    assert rung(broker.url) == []


@pytest.mark.parametrize("mode", ["refused", "silent"])
async def test_a_broker_that_is_not_there_from_the_start_is_told_in_time(
    broker: Broker, proxy: Proxy, proxied: CeleryRinger, mode: Mode
) -> None:
    """Whoever waits for an answer that never comes rings for nobody else either."""
    await proxy.become(mode)

    assert await fails_in_time(proxied)
    with pytest.raises(BrokerUnavailable):
        await asyncio.wait_for(asyncio.to_thread(broker_answers, proxy.url), _LIMIT_S)

    await proxy.become("forward")
    after = bells(1)
    await proxied.ring(after)
    assert after[0].task_id in ids(rung(broker.url))


@pytest.mark.parametrize("mode", ["refused", "silent"])
async def test_a_broker_that_goes_away_is_told_in_time_and_found_again(
    broker: Broker, proxy: Proxy, proxied: CeleryRinger, mode: Mode
) -> None:
    """An open connection may lead nowhere any more; the same ringer finds the next one."""
    await proxied.ring(bells(1))
    await proxy.become(mode)

    assert await fails_in_time(proxied)

    await proxy.become("forward")
    after = bells(1)
    await proxied.ring(after)
    assert after[0].task_id in ids(rung(broker.url))


async def test_after_a_restart_of_the_broker_the_same_ringer_rings_on(
    broker: Broker, ringer: CeleryRinger
) -> None:
    """Brokers are updated at night, and nobody is there to restart what depends on them."""
    await ringer.ring(bells(1))
    await asyncio.to_thread(broker.kill)
    assert await fails_in_time(ringer)
    await asyncio.to_thread(broker.start)

    after = bells(2)
    await rings_again(ringer, after)

    assert ids(rung(broker.url))[-2:] == [bell.task_id for bell in after]


async def test_a_broker_that_forgot_its_queues_gets_them_again(
    broker: Broker, ringer: CeleryRinger
) -> None:
    """A bell for which there is no queue is no success: it would be in nobody's ear."""
    await ringer.ring(bells(1))
    await asyncio.to_thread(broker.forget)

    after = bells(1)
    await rings_again(ringer, after)

    assert ids(rung(broker.url)) == [after[0].task_id]


async def test_a_broker_without_memory_is_told_in_time_and_used_again_afterwards(
    broker: Broker, ringer: CeleryRinger
) -> None:
    """One that cannot take a bell must not look like one that did, nor hold up the ringer."""
    await ringer.ring(bells(1))
    with broker.out_of_memory():
        assert await fails_in_time(ringer)
        assert await fails_in_time(ringer)

    after = bells(1)
    await ringer.ring(after)

    # Of a bell that failed nobody knows whether it was taken; this one was.
    assert ids(rung(broker.url))[-1] == after[0].task_id


async def test_garbage_in_a_queue_is_no_concern_of_the_ringer(
    broker: Broker, ringer: CeleryRinger
) -> None:
    """A stranger wrote nonsense into the queue: bells arrive behind it all the same."""
    await ringer.ring(bells(1))
    broker.spoil("default", b"7", b"{}", b"\x00\xff")

    after = bells(2)
    await ringer.ring(after)

    assert ids(rung(broker.url))[-2:] == [bell.task_id for bell in after]


async def test_a_stranger_on_the_brokers_port_is_an_unavailable_broker(broker: Broker) -> None:
    """A wrong port number leads to some other server, whose answer means nothing here."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = urlsplit(broker.url)._replace(netloc=f":wrong@127.0.0.1:{port}").geturl()
    ringer = CeleryRinger(build_celery_app(url, CATALOGUE))

    assert await fails_in_time(ringer)

    await ringer.close()
    server.close()


async def test_a_wrong_password_is_told_and_never_repeated(broker: Broker) -> None:
    """The reason goes into logs, where a password has no place."""
    parts = urlsplit(broker.url)
    netloc = f"tasuki:not-this-one@{parts.hostname}:{parts.port}"
    url = parts._replace(netloc=netloc).geturl()
    ringer = CeleryRinger(build_celery_app(url, CATALOGUE))

    words = await fails_in_time(ringer)

    assert "not-this-one" not in words
    await ringer.close()


async def test_closing_is_clean(broker: Broker) -> None:
    """No thread, no connection stays behind, whether it ever rang or not."""
    idle = CeleryRinger(build_celery_app(broker.url, CATALOGUE))
    await idle.close()
    used = CeleryRinger(build_celery_app(broker.url, CATALOGUE))
    await used.ring(bells(1))

    await used.close()

    async def is_gone() -> bool:
        return not any(thread.name.startswith("tasuki-ringer") for thread in threading.enumerate())

    await wait_until(is_gone, within=5, what="the end of the ringer's thread")


async def test_the_broker_tells_its_name(broker: Broker) -> None:
    """`tasuki doctor` shows what the URL leads to."""
    name, version = (await asyncio.to_thread(broker_answers, broker.url)).split()

    assert name in {"valkey", "redis", "RabbitMQ"}
    assert version[0].isdigit()


async def test_the_bells_that_lie_in_the_broker_are_counted(
    broker: Broker, ringer: CeleryRinger
) -> None:
    """Whether work waits for the broker or for workers: an operator asks both brokers alike."""
    await ringer.ring(bells(3))
    depths = BrokerDepths(broker.url)

    async def are_there() -> bool:
        return (await depths.read(["default", "default.cpu"])) == {"default": 3, "default.cpu": 0}

    await wait_until(are_there, within=10)


async def test_a_silent_broker_is_asked_in_vain_and_not_for_long(
    broker: Broker, proxy: Proxy
) -> None:
    """A page that waits for a broker is of no use while the broker is what is wrong."""
    del broker
    await proxy.become("silent")
    begun = time.monotonic()

    assert await BrokerDepths(proxy.url).read(["default"]) == {}
    assert time.monotonic() - begun < 5  # a connection and an answer get a second each


async def rings_again(ringer: CeleryRinger, wanted: list[Bell]) -> None:
    """Ring as the dispatcher does: a failure is no end."""

    async def has_rung() -> bool:
        try:
            await ringer.ring(wanted)
        except BrokerUnavailable:
            return False
        return True

    await wait_until(has_rung, within=_LIMIT_S, what="a successful ring")
