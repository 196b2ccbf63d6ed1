"""Whoever ordered a task can watch it: every step, live, over Server-Sent Events."""

from httpx_sse import aconnect_sse

from support.live import Live


async def test_progress_is_watched_while_it_happens(shop: Live) -> None:
    """First a snapshot, then what happens, then the end; the stream closes by itself."""
    alice = await shop.user("alice", scopes=("task:shop.import",))
    task_id = await alice.order("shop.import", rows=3)

    async with aconnect_sse(alice, "GET", f"/api/v1/tasks/{task_id}/events") as source:
        events = source.aiter_sse()
        snapshot = await anext(events)
        await shop.work()
        rest = [event async for event in events]

    assert (snapshot.event, snapshot.json()["data"]["state"]) == ("snapshot", "queued")
    assert [rest[0].event, rest[-1].event] == ["started", "succeeded"]
    last = [event.json()["data"] for event in rest if event.event == "progress"][-1]
    assert last == {"current": 3, "total": 3, "unit": "rows", "message": "All there"}
