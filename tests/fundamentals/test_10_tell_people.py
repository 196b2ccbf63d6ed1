"""A task tells people something: at once in their open tabs, later in their inbox."""

from uuid import UUID

from fundamentals.conftest import Ended
from support.live import Live


async def test_who_ordered_a_task_finds_what_it_told_them(shop: Live, ended: Ended) -> None:
    """Once, though the task failed and told it again: the same words are told once."""
    alice = await shop.user("alice", scopes=("task:shop.deliver",))
    task_id = await alice.order("shop.deliver", item="Tea")
    record = await ended(UUID(task_id))

    inbox = (await alice.get("/api/v1/notifications")).json()

    assert (record.state, record.attempt) == ("succeeded", 2)
    assert inbox["unread"] == 1
    assert [(one["title"], one["message"], one["data"]) for one in inbox["items"]] == [
        ("On its way", "Tea left our house.", {"item": "Tea"})
    ]


async def test_what_is_read_is_not_unread(shop: Live) -> None:
    """Nothing is ever shown as new twice."""
    alice = await shop.user("alice", scopes=("task:shop.deliver",))
    await alice.order("shop.deliver", item="Tea")
    await shop.work()
    (told,) = (await alice.get("/api/v1/notifications")).json()["items"]

    await alice.post(f"/api/v1/notifications/{told['id']}/read")

    inbox = (await alice.get("/api/v1/notifications")).json()
    assert (inbox["unread"], inbox["items"][0]["read"]) == (0, True)
