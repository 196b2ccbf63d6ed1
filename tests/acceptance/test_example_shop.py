"""An application of one's own with users of its own: the example in `examples/`, for real."""

import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import httpx
import pytest

from support.client import Client
from support.servers import free_port
from support.system import System
from support.waiting import wait_until

_EXAMPLES = Path(__file__).parents[2] / "examples"
_UVICORN = (sys.executable, "-m", "uvicorn", "--factory", "shop.app:create_app")


@pytest.fixture
def shop(system: System) -> Generator[str]:
    """The shop on a plain uvicorn, with Tasuki's workers beside it; its address."""
    system.env = {
        **system.env,
        "PYTHONPATH": str(_EXAMPLES),
        "TASUKI_TASKS__MODULES": '["shop.jobs"]',
    }
    system.worker("io")
    port = free_port()
    with (system.folder / "shop.log").open("wb") as log:
        process = subprocess.Popen(
            [*_UVICORN, "--port", str(port)],
            env=system.environment,
            stdout=log,
            stderr=log,
            cwd=system.folder,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(15) in {0, -15}


@pytest.fixture
async def client(shop: str) -> AsyncGenerator[Client]:
    """A client of the shop, once it answers."""
    async with Client(base_url=shop, timeout=20) as made:

        async def answers() -> bool:
            try:
                answer = await made.get("/openapi.json")
            except httpx.TransportError:
                return False
            assert answer.status_code == 200
            return True

        await wait_until(answers, within=30, what="the shop's answer")
        yield made


async def test_a_shop_takes_an_order_and_its_customer_gets_the_invoice(client: Client) -> None:
    """The row of the order and the task are one transaction; the file is the customer's alone."""
    hanako, tom = {"X-Shop-Key": "hanako-key"}, {"X-Shop-Key": "tom-key"}

    answer = await client.post("/orders", json={"item": "Tea", "quantity": 3}, headers=hanako)
    assert answer.status_code == 201, answer.text
    task_id = answer.json()["task_id"]

    client.headers.update(hanako)
    record = await client.ended(task_id)
    assert (record["state"], record["owner_id"]) == ("succeeded", 1)
    file = await client.get(f"/api/v1/tasks/{task_id}/result")
    assert file.text.splitlines()[1:] == ["花子", "3 × Tea", "Total 13.50"]
    assert (await client.get("/api/v1/tasks")).json()["items"][0]["id"] == task_id

    client.headers.update(tom)
    for path in ("", "/result", "/events"):
        foreign = await client.get(f"/api/v1/tasks/{task_id}{path}")
        assert (foreign.status_code, foreign.json()["code"]) == (404, "task_not_found")
    assert (await client.get("/api/v1/tasks")).json()["items"] == []


async def test_the_shop_says_who_may_come_in(client: Client) -> None:
    """Tasuki's routes ask the shop's own dependency, and bring no accounts of their own."""
    assert (await client.get("/api/v1/tasks")).status_code == 401
    assert (await client.post("/api/v1/auth/login", json={})).status_code == 404


async def test_an_order_that_is_refused_leaves_no_task(client: Client) -> None:
    """A transaction that rolls back takes its task with it."""
    client.headers.update({"X-Shop-Key": "tom-key"})

    refused = await client.post("/orders", json={"item": "Gold", "quantity": 1})

    assert refused.status_code == 422
    assert (await client.get("/api/v1/tasks")).json()["items"] == []
