"""Bells that nobody should ring: too many, too late, for nothing, not even a bell."""

import asyncio
import base64
import json
import uuid
from functools import partial

import pytest

from chaos import jobs
from chaos.bells import ring, send
from chaos.house import House, until
from support.brokers import Broker, Rabbit
from support.system import Part


async def test_a_hundred_bells_and_garbage_are_one_run(house_on: House, broker: Broker) -> None:
    """Brokers deliver twice, strangers write nonsense: the row decides, and the worker lives."""
    house = house_on
    worker = await house.worker()
    task_id = await house.order(jobs.work, takes_s=0.5)
    await asyncio.to_thread(ring, broker.url, house, 100, task_id=str(task_id))
    await house.ended(task_id)
    await asyncio.to_thread(ring, broker.url, house, 100, task_id=str(task_id))
    await asyncio.to_thread(ring, broker.url, house, 50, task_id=str(task_id), last_chance=True)
    await asyncio.to_thread(ring, broker.url, house, 50, task_id=str(uuid.uuid4()))
    await asyncio.to_thread(broker.spoil, "default", *(text.encode() for text in garbage()))

    after = await house.order(jobs.work)

    assert (await house.ended(after)).state == "succeeded"
    await until_all_is_taken(broker, worker)
    last = await house.order(jobs.work)
    assert (await house.ended(last)).state == "succeeded"
    assert worker.process.poll() is None
    verdict = await house.verdict()
    assert verdict.is_good, verdict
    assert verdict.starts == 3


async def until_all_is_taken(broker: Broker, worker: Part) -> None:
    """Wait until the worker had the last of the garbage in its hands."""
    if isinstance(broker, Rabbit):
        await asyncio.to_thread(broker.spoil, "default", b"the last")
        await until(lambda: "the last" in worker.log.read_text(), "the last of the garbage")
    else:
        await until(lambda: "RecursionError" in worker.log.read_text(), "the last of the garbage")
    assert worker.process.poll() is None


@pytest.mark.parametrize("broker", ["rabbitmq"], indirect=True)  # Valkey would give more
async def test_bells_for_later_are_not_kept_and_hold_up_nobody(
    house_on: House, broker: Broker
) -> None:
    """Time lives in the rows; a worker that waited with the bell in its hands hears no other."""
    house = house_on
    await house.start("cpu", "scheduler")
    bell = {"kwargs": {"queue": "default"}, "countdown": 86_400}
    await asyncio.to_thread(
        partial(send, broker.url, house, 20, "chaos.work_cpu", "default.cpu", **bell)
    )

    after = await house.order(jobs.work_cpu)

    assert (await house.ended(after, within=20)).state == "succeeded"


async def test_bells_for_running_alone_do_not_hold_up_others(house: House, redis_url: str) -> None:
    """A hundred such bells for nothing, beside a long task: new work still starts soon."""
    await house.worker()
    hold = house.folder / "hold"
    long = await house.order(jobs.work, hold=str(hold))
    await house.begun(long)
    await asyncio.to_thread(ring, redis_url, house, 100, last_chance=True)

    after = await house.order(jobs.work)

    assert (await house.ended(after, within=20)).state == "succeeded"
    hold.touch()
    verdict = await house.verdict()
    assert verdict.is_good, verdict


def garbage() -> list[str]:
    """Return messages that are less and less like ours."""
    return [
        message(body=[[], {"queue": 7, "task_id": {}, "last_chance": "yes"}, {}]),
        message(body=[[], {"queue": "x" * 100_000}, {}]),
        message(body=[[1, 2, 3], {}, {}]),
        message(body=[[], {}, {}]),
        message(body={"no": "list"}),
        message(headers={"task": "no.such.task", "id": "1"}),
        message(headers={}),
        message(content_type="application/x-python-serialize"),
        message(body_text="not base64"),
        message(headers={"task": "celery.map", "id": "1"}, body={}),
        message(headers={"task": "chaos.work"}, body=7),
        message(headers={"task": "chaos.work", "id": "2", "eta": "never", "expires": "x"}),
        "{}",
        "[]",
        "null",
        "not JSON",
        "\x00\xff",
        '{"body": 1, "properties": {}}',
        '{"body": "", "properties": {"delivery_tag": [], "delivery_info": {}}}',
        "[" * 100_000,
    ]


def message(
    *,
    body: object = None,
    body_text: str | None = None,
    headers: dict[str, str] | None = None,
    content_type: str = "application/json",
) -> str:
    """Return a message as kombu writes it, with something wrong in it."""
    text = json.dumps(body if body is not None else [[], {"queue": "default"}, {}])
    usual = {"lang": "py", "task": "chaos.work", "id": str(uuid.uuid4()), "root_id": "x"}
    return json.dumps(
        {
            "body": body_text or base64.b64encode(text.encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": content_type,
            "headers": usual if headers is None else headers,
            "properties": {
                "body_encoding": "base64",
                "delivery_info": {"exchange": "", "routing_key": "default"},
                "delivery_mode": 2,
                "delivery_tag": str(uuid.uuid4()),
                "priority": 0,
            },
        }
    )
