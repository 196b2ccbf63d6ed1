"""Writes the ends of attempts, those that come together in one transaction."""

from tasuki.core.notices import Notices
from tasuki.core.together import Together
from tasuki.tasks.engine.repository import End, EngineRepository
from tasuki.tasks.records import Moved
from tasuki.tasks.service import DISPATCH_KEY, tell

_MOST_TOGETHER = 200


class Ender:
    """Writes ends and tells of them."""

    def __init__(self, repository: EngineRepository, notices: Notices) -> None:
        self._repository = repository
        self._notices = notices
        self._together = Together(self._write, most=_MOST_TOGETHER, name="ender")

    async def end(self, end: End) -> Moved | None:
        """Write an end.

        Returns:
            Where the task is now: a cancel wins over another attempt. Nothing when the task
            was not held any more and was not changed.

        Raises:
            Unavailable: The database does not answer; nothing was written.
        """
        return await self._together.do(end)

    async def _write(self, ends: list[End]) -> list[Moved | None]:
        moved = await self._repository.end(ends)
        tell(self._notices, moved)
        if any(end.pause_s is not None for end in ends):
            self._notices.send(DISPATCH_KEY)
        accepted = {task.id: task for task in moved}
        return [accepted.get(end.id) for end in ends]
