"""The channels of tasks: what the engine writes down, as publications."""

from uuid import UUID

from tasuki.core.clock import rfc3339
from tasuki.core.database import Database
from tasuki.core.jsontext import dump
from tasuki.core.registry import Registry
from tasuki.realtime.channels import Namespace, Position, Publication, Slice
from tasuki.tasks import TaskService
from tasuki.tasks.errors import TaskNotFound
from tasuki.tasks.eventdata import EVENT_DATA
from tasuki.tasks.records import TaskEvent
from tasuki.web.principal import Principal


async def _is_theirs(user: Principal, key: str, services: Registry) -> bool:
    try:
        task_id = UUID(key)
        async with services.get(Database).unit_of_work() as session:
            owner_id = None if user.is_admin else user.id
            await services.get(TaskService).get(session, task_id, owner_id=owner_id)
    except (ValueError, TaskNotFound):
        return False
    return True


TASKS = Namespace(name="task", events=EVENT_DATA, may_see=_is_theirs, from_table=True)
"""``task:ID``: the events of one task. Positions are those of its own stream."""


class TaskTable:
    """The history of `TASKS`; see `tasuki.realtime.feed.Table`."""

    def __init__(self, *, database: Database, tasks: TaskService) -> None:
        self._database = database
        self._tasks = tasks

    async def history(self, key: str, since: Position | None, *, most: int) -> Slice:
        """See `Table.history`. A task that retention has deleted has no position to go on from."""
        async with self._database.unit_of_work() as session:
            epoch = await self._tasks.epoch(session)
            try:
                newest = (await self._tasks.get(session, UUID(key), owner_id=None)).event_seq
            except TaskNotFound:
                return Slice(Position(epoch, 0), [], is_whole=since is None)
            here = Position(epoch, newest)
            if since is None:
                return Slice(here, [], is_whole=True)
            if since.epoch != epoch or since.offset > newest:
                return Slice(here, [], is_whole=False)
            events = await self._tasks.events_after(session, UUID(key), since.offset, limit=most)
        publications = [_publication(event, epoch) for event in events]
        reached = publications[-1].position if publications else None
        return Slice(reached or since, publications, is_whole=True)


def _publication(event: TaskEvent, epoch: str) -> Publication:
    said = {"task_id": str(event.task_id), "attempt": event.attempt, "data": event.data}
    return Publication(
        channel=TASKS.channel(event.task_id),
        type=event.type,
        data=dump(said),
        at=rfc3339(event.at),
        position=Position(epoch, event.seq),
    )
