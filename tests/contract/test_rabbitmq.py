"""What is true of RabbitMQ alone: how its queues are made."""

import asyncio
import uuid
from collections.abc import Generator
from pathlib import Path

import pytest
from kombu import Queue

from support.brokers import Broker, Rabbit, own_broker
from support.waiting import wait_until
from tasuki.tasks.celery import build_celery_app
from tasuki.tasks.engine.repository import Bell
from tasuki.tasks.ringer import CeleryRinger
from tasuki.wiring.declared import load_declared

CATALOGUE = load_declared(("support.jobs",)).catalogue


@pytest.fixture
def rabbit(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Broker]:
    """A virtual host of the test process's RabbitMQ."""
    with own_broker(request, "rabbitmq", tmp_path) as made:
        yield made


async def ring_once(url: str) -> None:
    """Ring one bell."""
    ringer = CeleryRinger(build_celery_app(url, CATALOGUE))
    await ringer.ring([Bell(name="test.echo", queue="default", lane="io", task_id=uuid.uuid4())])
    await ringer.close()


async def test_queues_are_quorum_queues_with_a_delivery_limit(rabbit: Rabbit) -> None:
    """A classic queue dies with its node; RabbitMQ 3 gives a message back without end."""
    await ring_once(rabbit.url)

    queue = rabbit.queues()["default"]

    assert queue["durable"]
    assert queue["arguments"] == {"x-queue-type": "quorum", "x-delivery-limit": 4}


async def test_a_bell_that_takes_down_its_workers_is_dropped(rabbit: Rabbit) -> None:
    """Given back five times it is gone: a message may not end one worker after the other."""
    await ring_once(rabbit.url)
    given = 0
    with build_celery_app(rabbit.url, CATALOGUE).connection_for_read() as connection:
        taking = Queue("default").bind(connection.channel())

        async def take() -> bool:
            nonlocal given
            message = await asyncio.to_thread(taking.get)
            if message is None:
                return given > 4
            given += 1
            message.requeue()
            return False

        await wait_until(take, within=10, what="the end of a bell")

    assert given == 5
