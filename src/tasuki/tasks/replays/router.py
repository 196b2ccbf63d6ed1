"""Replays over HTTP: one task, or many as a task of its own."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from tasuki.tasks.callers import owner_filter
from tasuki.tasks.replays.schemas import ReplayOrder
from tasuki.tasks.replays.service import ReplayService
from tasuki.tasks.replays.tasks import replay
from tasuki.tasks.schemas import TaskOut
from tasuki.tasks.service import TaskService
from tasuki.web.audit import Auditor
from tasuki.web.depends import CurrentUser, DbSession, provided
from tasuki.web.problem import ProblemRoute

router = APIRouter(prefix="/tasks", tags=["tasks"], route_class=ProblemRoute)

Tasks = Annotated[TaskService, provided(TaskService)]
Replays = Annotated[ReplayService, provided(ReplayService)]
Audit = Annotated[Auditor, provided(Auditor)]


@router.post("/replay", status_code=HTTPStatus.ACCEPTED)
async def replay_tasks(
    user: CurrentUser,
    session: DbSession,
    tasks: Tasks,
    audit: Audit,
    order: ReplayOrder,
    response: Response,
) -> TaskOut:
    """Order again what did not succeed: your own tasks, or everybody's for an admin.

    The answer is a task that does it; watch it at `Location`. What was replayed before is left
    out. One such task at a time.
    """
    options = replay.having(owner_id=user.id, unique_key=f"user:{user.id}")
    wanted = {**order.model_dump(mode="json"), "owner_id": owner_filter(user)}
    handle = await tasks.enqueue(session, options, {"wanted": wanted})
    if user.is_admin:
        await audit.note(session, user, "task.replay", f"task:{handle.id}")
    return await _accepted(session, tasks, handle.id, response)


@router.post("/{task_id}/replay", status_code=HTTPStatus.ACCEPTED)
async def replay_task(
    user: CurrentUser,
    session: DbSession,
    tasks: Tasks,
    replays: Replays,
    audit: Audit,
    task_id: UUID,
    response: Response,
) -> TaskOut:
    """Order a task again that has ended and did not succeed; `replay_of` says which it was."""
    record = await tasks.get(session, task_id, owner_id=owner_filter(user))
    if record.owner_id != user.id:
        await audit.note(session, user, "task.replay", f"task:{task_id}")
    handle = await replays.replay(session, task_id, owner_id=record.owner_id)
    return await _accepted(session, tasks, handle.id, response)


async def _accepted(
    session: DbSession, tasks: TaskService, task_id: UUID, response: Response
) -> TaskOut:
    response.headers["Location"] = f"/api/v1/tasks/{task_id}"
    return TaskOut.of(await tasks.get(session, task_id, owner_id=None))
