"""The last words of a process whose event loop is blocked by one task.

Everything that runs in it goes down with it. Without these words each of its tasks would
count a crash, and after a few rounds the innocent would be given up with the guilty.
"""

from collections.abc import Callable

from tasuki.core.database import Database
from tasuki.tasks.engine.repository import End, EngineRepository
from tasuki.tasks.engine.runner import Run
from tasuki.tasks.states import State


class Emergency:
    """Writes on a connection of its own, since the usual ones are blocked too.

    Args:
        connect: Opens a database for the loop this runs on.
        repository: Makes the engine's repository on it.
    """

    def __init__(
        self,
        *,
        connect: Callable[[], Database],
        repository: Callable[[Database], EngineRepository],
    ) -> None:
        self._connect = connect
        self._repository = repository

    async def tell(self, guilty: Run, innocent: list[Run]) -> None:
        """End the lease of the guilty, and give the others back uncounted."""
        database = self._connect()
        try:
            repository = self._repository(database)
            await repository.end(
                [
                    End(
                        id=run.claimed.id,
                        token=run.claimed.token,
                        state=State.QUEUED,
                        pause_s=0.0,
                        given_back=1,
                    )
                    for run in innocent
                ]
            )
            await repository.give_up(guilty.claimed.id, guilty.claimed.token)
        finally:
            await database.close()
