"""Read this first: a task is a function, and ordering it is part of your own transaction."""

from typing import Any
from uuid import UUID

import pytest

from fundamentals import jobs
from fundamentals.conftest import Ended
from support.live import Live
from tasuki.core.errors import NotFound, ValidationFailed


async def test_a_task_is_ordered_and_its_result_stands_in_the_record(
    shop: Live, ended: Ended
) -> None:
    """`enqueue` takes the function and its arguments; the order counts with your commit."""
    async with shop.database.unit_of_work() as session:
        handle = await shop.tasuki.enqueue(session, jobs.invoice, order_id=7)

    record = await ended(handle.id)

    assert record.state == "succeeded"
    assert record.result == {"order_id": 7, "copies": 1}


async def test_an_order_in_a_transaction_that_fails_was_never_made(shop: Live) -> None:
    """The customer's row and the task that belongs to it are there together, or not at all."""
    ordered: list[UUID] = []

    async def sell() -> None:
        async with shop.database.unit_of_work() as session:
            handle = await shop.tasuki.enqueue(session, jobs.invoice, order_id=7)
            ordered.append(handle.id)
            raise RuntimeError("something of yours goes wrong")

    with pytest.raises(RuntimeError):
        await sell()

    with pytest.raises(NotFound):
        await shop.tasuki.status(ordered[0])


async def test_a_wrong_argument_is_refused_before_anything_is_ordered(shop: Live) -> None:
    """The function's own annotations decide; nobody finds out in a worker at night."""
    order: dict[str, Any] = {"order_id": "seven"}
    async with shop.database.unit_of_work() as session:
        with pytest.raises(ValidationFailed, match="order_id"):
            await shop.tasuki.enqueue(session, jobs.invoice, **order)


async def test_where_there_is_no_transaction_an_order_is_submitted(
    shop: Live, ended: Ended
) -> None:
    """It is committed when `submit` returns, together with what others submit meanwhile."""
    handle = await shop.tasuki.submit(jobs.invoice.having(priority=5), order_id=7)

    record = await ended(handle.id)

    assert (record.state, record.priority) == ("succeeded", 5)
