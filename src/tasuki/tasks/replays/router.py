"""Replays over HTTP: one task, or many as a task of its own."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from tasuki.tasks.callers import owner_filter, page_of, read_id
from tasuki.tasks.replays.listing import FailurePage, FailuresOut
from tasuki.tasks.replays.schemas import FailureFilter, ReplayOrder, ReplayWanted
from tasuki.tasks.replays.service import ReplayService
from tasuki.tasks.replays.tasks import replay
from tasuki.tasks.schemas import TaskOut
from tasuki.tasks.service import TaskService
from tasuki.web.audit import Auditor
from tasuki.web.depends import CurrentUser, DbSession, provided
from tasuki.web.paging import Page
from tasuki.web.principal import Principal
from tasuki.web.problem import ProblemRoute

router = APIRouter(prefix="/tasks", tags=["tasks"], route_class=ProblemRoute)

Tasks = Annotated[TaskService, provided(TaskService)]
Replays = Annotated[ReplayService, provided(ReplayService)]
Audit = Annotated[Auditor, provided(Auditor)]


@router.get("/failures")
async def list_failures(
    user: CurrentUser, session: DbSession, replays: Replays, page: Annotated[FailurePage, Query()]
) -> Page[TaskOut]:
    """List what did not succeed and was not replayed, newest first: yours, or all for an admin.

    It is exactly what a replay with the same filter orders again.
    """
    found = await replays.page(
        session, _theirs(page, user), before=read_id(page.cursor), limit=page.limit + 1
    )
    return page_of(found, page.limit)


@router.get("/failures/groups")
async def group_failures(
    user: CurrentUser,
    session: DbSession,
    replays: Replays,
    wanted: Annotated[FailureFilter, Query()],
) -> FailuresOut:
    """Count the same tasks by name and error: the newest 10,000 of them."""
    return FailuresOut.model_validate(await replays.groups(session, _theirs(wanted, user)))


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
    wanted = _theirs(order, user)
    handle = await tasks.enqueue(session, options, {"wanted": wanted.model_dump(mode="json")})
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


def _theirs(wanted: FailureFilter, user: Principal) -> ReplayWanted:
    """Return what a caller asks for together with whose tasks that may be about."""
    given = wanted.model_dump(include=set(ReplayOrder.model_fields))
    return ReplayWanted(**given, owner_id=owner_filter(user))


async def _accepted(
    session: DbSession, tasks: TaskService, task_id: UUID, response: Response
) -> TaskOut:
    response.headers["Location"] = f"/api/v1/tasks/{task_id}"
    return TaskOut.of(await tasks.get(session, task_id, owner_id=None))
