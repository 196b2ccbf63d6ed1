"""A task can leave a file; its owner downloads it, and nobody else does."""

from support.live import Live


async def test_a_file_is_left_and_downloaded(shop: Live) -> None:
    """The record tells its name, length and checksum; the bytes come from `/result`."""
    alice = await shop.user("alice", scopes=("task:shop.catalogue",))
    bob = await shop.user("bob")
    task_id = await alice.order("shop.catalogue", title="春のカタログ")
    await shop.work()

    record = await alice.task(task_id)
    hers = await alice.get(f"/api/v1/tasks/{task_id}/result")
    his = await bob.get(f"/api/v1/tasks/{task_id}/result")

    assert record["artifact"]["name"] == "catalogue.txt"
    assert record["artifact"]["size_bytes"] == len(hers.content)
    assert hers.text == "春のカタログ"
    assert his.status_code == 404
