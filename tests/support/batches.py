"""What tests of batches ask and do beside `support.engine`."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, overload
from uuid import UUID

from support.engine import Bench
from tasuki.tasks.batches import BatchRecord
from tasuki.tasks.counting import COUNTERS
from tasuki.tasks.engine.repository import Claimed, End
from tasuki.tasks.states import HELD, WAITING, State


class Generated(Sequence[dict[str, Any]]):
    """Arguments that are made when they are asked for, and then forgotten."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self.size))]
        if index >= self.size:
            raise IndexError(index)
        return {"text": f"{index:06} " + "x" * 200}


def counted(record: BatchRecord) -> dict[str, int]:
    """Return the five numbers of a batch."""
    return {counter: getattr(record, counter) for counter in COUNTERS}


def counter_of(state: State) -> str:
    """Return where a task in this state is counted, as api.md has it."""
    if state in WAITING:
        return "queued"
    if state in HELD:
        return "running"
    return state.value if state in {State.SUCCEEDED, State.CANCELLED} else "failed"


async def true_numbers(bench: Bench, batch_id: UUID) -> dict[str, int]:
    """Count the tasks themselves."""
    found = Counter(counter_of(task.state) for task in await bench.tasks_of(batch_id))
    return {counter: found[counter] for counter in COUNTERS}


async def claim(bench: Bench, most: int = 100) -> list[Claimed]:
    """Take due tasks, as a worker does."""
    return await bench.repository.claim(
        worker="w", queue="default", lane="io", names=bench.catalogue.names, most=most
    )


def end_of(claimed: Claimed, state: State = State.SUCCEEDED, **more: Any) -> End:
    """Return the end of an attempt."""
    return End(id=claimed.id, token=claimed.token, state=state, **more)


async def deadlocks(bench: Bench) -> int:
    """Return how many deadlocks PostgreSQL has had to resolve in this database."""
    async with bench.database.driver() as connection:
        found = await connection.fetchval(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
    return int(found)
