"""What goes wrong is tried again as often as you said, and never forgotten."""

from fundamentals import jobs
from fundamentals.conftest import Ended
from support.live import Live


async def test_a_failed_attempt_is_followed_by_another(shop: Live, ended: Ended) -> None:
    """`Retry(tries=3)`: two may fail, and the third counts."""
    async with shop.database.unit_of_work() as session:
        handle = await shop.tasuki.enqueue(session, jobs.charge, works_at=3)

    record = await ended(handle.id)

    assert (record.state, record.attempt) == ("succeeded", 3)
    assert record.result == "charged at attempt 3"


async def test_the_last_failure_says_why(shop: Live, ended: Ended) -> None:
    """The record keeps the cause for people and programs alike."""
    async with shop.database.unit_of_work() as session:
        handle = await shop.tasuki.enqueue(session, jobs.charge, works_at=99)

    record = await ended(handle.id)

    assert (record.state, record.attempt) == ("failed", 3)
    assert record.error is not None
    assert record.error["type"] == "ConnectionError"
    assert record.error["message"] == "the bank does not answer"
