"""An order that is sent twice is carried out once, when it carries a key."""

import pytest

from fundamentals import jobs
from support.live import Live
from tasuki.core.errors import Conflict


async def test_the_same_key_finds_the_first_order(shop: Live) -> None:
    """A customer who presses the button twice gets one invoice."""
    handles = []
    for _ in range(2):
        async with shop.database.unit_of_work() as session:
            handles.append(
                await shop.tasuki.enqueue(
                    session, jobs.invoice, order_id=7, idempotency_key="order-7"
                )
            )

    assert handles[0].id == handles[1].id
    assert [handle.is_new for handle in handles] == [True, False]


async def test_the_same_key_for_something_else_is_a_mistake(shop: Live) -> None:
    """It is said, and not answered with a task that does something else."""
    async with shop.database.unit_of_work() as session:
        await shop.tasuki.enqueue(session, jobs.invoice.having(idempotency_key="k"), order_id=7)
        with pytest.raises(Conflict):
            await shop.tasuki.enqueue(
                session, jobs.invoice.having(idempotency_key="k"), order_id=8
            )
