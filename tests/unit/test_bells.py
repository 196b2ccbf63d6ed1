"""How many bells ring for how many rows."""

from uuid import uuid4

from tasuki.tasks.engine.dispatcher import few, together
from tasuki.tasks.engine.repository import Bell


def bell(queue: str = "default", lane: str = "io", *, last_chance: bool = False) -> Bell:
    """Return one bell."""
    return Bell(name="test.echo", queue=queue, lane=lane, task_id=uuid4(), last_chance=last_chance)


def test_many_rows_share_bells_where_one_process_takes_many() -> None:
    """In the io lane; a child of the cpu lane takes one, and a last chance is taken alone."""
    rows = [bell() for _ in range(100)]

    assert len(together(rows)) == 4
    assert len(together(rows[:3])) == 3
    assert len(together([bell("reports", "cpu") for _ in range(10)])) == 10
    assert len(together([bell(last_chance=True) for _ in range(10)])) == 10
    assert len(few(rows)) == 4
