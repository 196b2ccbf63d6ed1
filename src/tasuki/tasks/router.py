"""Tasks over HTTP: order, list, record, cancel, live events, result."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from tasuki.core.database import Database
from tasuki.core.errors import Forbidden
from tasuki.core.notices import Notices
from tasuki.tasks.artifacts import ArtifactStore
from tasuki.tasks.callers import Watcher, owner_filter, page_of, read_id
from tasuki.tasks.errors import TaskNotFinished
from tasuki.tasks.events import Position, TaskWatch
from tasuki.tasks.ordering import Orders
from tasuki.tasks.records import TaskFilter, TaskRecord
from tasuki.tasks.schemas import TaskOrder, TaskOut, TaskStatus
from tasuki.tasks.service import TaskService
from tasuki.tasks.states import State
from tasuki.web.audit import Auditor
from tasuki.web.depends import (
    CurrentUser,
    DbSession,
    IdempotencyKey,
    StreamUser,
    provided,
    registry_of,
)
from tasuki.web.downloads import file_response
from tasuki.web.paging import Cursor, Limit, Page
from tasuki.web.principal import Principal
from tasuki.web.problem import ProblemRoute
from tasuki.web.sse import EventStreamResponse

router = APIRouter(prefix="/tasks", tags=["tasks"], route_class=ProblemRoute)

Tasks = Annotated[TaskService, provided(TaskService)]
Audit = Annotated[Auditor, provided(Auditor)]
# PostgreSQL has no text with U+0000 in it.
Word = Annotated[str | None, Query(max_length=255, pattern="^[^\\x00]*$")]


@router.post("", status_code=HTTPStatus.ACCEPTED, responses={200: {"model": TaskOut}})
async def order_task(
    user: CurrentUser,
    session: DbSession,
    tasks: Tasks,
    orders: Orders,
    order: TaskOrder,
    response: Response,
    key: IdempotencyKey = None,
) -> TaskOut:
    """Order a task by name; needs the scope `task:NAME`. Follow it at `Location`."""
    if not user.has_scope(f"task:{order.name}"):
        raise Forbidden(f"Ordering it needs the scope task:{order.name}.")
    if not user.is_admin and not tasks.allows(order.name, order.args, user_id=user.id):
        raise Forbidden("You may not order it with these arguments.")
    options = order.options(owner_id=user.id, idempotency_key=key)
    task = tasks.declared(order.name).having(**vars(options))
    handle = await orders.enqueue(task, order.args, mail_me=order.mail_me, template="task_ready")
    record = await tasks.get(session, handle.id, owner_id=user.id)
    if not handle.is_new:
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = location_of(handle.id)
    return TaskOut.of(record)


@router.get("")
async def list_tasks(
    user: CurrentUser,
    session: DbSession,
    tasks: Tasks,
    state: State | None = None,
    name: Word = None,
    queue: Word = None,
    batch_id: UUID | None = None,
    parent_id: UUID | None = None,
    replay_of: UUID | None = None,
    tag: Word = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[TaskOut]:
    """List tasks, newest first: your own, or all of them for an admin."""
    wanted = TaskFilter(
        owner_id=owner_filter(user),
        state=state,
        name=name,
        queue=queue,
        batch_id=batch_id,
        parent_id=parent_id,
        replay_of=replay_of,
        tag=tag,
    )
    found = await tasks.page(session, wanted, before=read_id(cursor), limit=limit + 1)
    return page_of(found, limit)


@router.get("/task-status/{task_id}")
async def task_status(
    user: CurrentUser, session: DbSession, tasks: Tasks, audit: Audit, task_id: UUID
) -> TaskStatus:
    """Tell a task's status in Celery's words."""
    return TaskStatus.of(await _find(user, session, tasks, audit, task_id, "read"))


@router.get("/{task_id}")
async def get_task(
    user: CurrentUser, session: DbSession, tasks: Tasks, audit: Audit, task_id: UUID
) -> TaskOut:
    """Show one task."""
    return TaskOut.of(await _find(user, session, tasks, audit, task_id, "read"))


@router.post("/{task_id}/cancel", status_code=HTTPStatus.ACCEPTED)
async def cancel_task(
    user: CurrentUser, session: DbSession, tasks: Tasks, audit: Audit, task_id: UUID
) -> TaskOut:
    """Ask a task to stop: one that waits ends at once, one that runs at its next step."""
    record = await _find(user, session, tasks, audit, task_id, "cancel")
    await tasks.cancel(session, task_id, owner_id=record.owner_id)
    return TaskOut.of(await tasks.get(session, task_id, owner_id=record.owner_id))


@router.get("/{task_id}/events", response_class=EventStreamResponse)
async def watch_task(
    user: StreamUser,
    tasks: Tasks,
    audit: Audit,
    database: Annotated[Database, provided(Database)],
    notices: Annotated[Notices, provided(Notices)],
    viewer: Watcher,
    task_id: UUID,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Watch a task live (Server-Sent Events). Begins with a snapshot and ends with the task.

    With the `Last-Event-ID` of an earlier connection it goes on after that event; at the last
    event of an ended task the answer is 204, which stops an EventSource.
    """
    async with database.unit_of_work() as session:
        await _find(user, session, tasks, audit, task_id, "watch")
    watch = TaskWatch(
        task_id=task_id, tasks=tasks, viewer=viewer, database=database, notices=notices
    )
    if not await watch.begin(Position.read(last_event_id)):
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return EventStreamResponse(watch.follow)


@router.head("/{task_id}/result", include_in_schema=False)
@router.get("/{task_id}/result")
async def task_result(
    user: CurrentUser,
    session: DbSession,
    tasks: Tasks,
    audit: Audit,
    request: Request,
    task_id: UUID,
) -> Response:
    """Download the file a task left (with `Range`), or get its JSON result."""
    record = await _find(user, session, tasks, audit, task_id, "result")
    if not record.state.is_terminal:
        raise TaskNotFinished(f"The task is {record.state}; watch it at {location_of(task_id)}.")
    if record.artifact is None:
        return JSONResponse(record.result if record.state is State.SUCCEEDED else record.error)
    return file_response(
        registry_of(request).get(ArtifactStore).path(record.artifact.id),
        name=record.artifact.name,
        media_type=record.artifact.media_type,
        etag=record.artifact.sha256,
        sha256=record.artifact.sha256,
    )


def location_of(task_id: UUID) -> str:
    """Return the path of a task."""
    return f"/api/v1/tasks/{task_id}"


async def _find(
    user: Principal,
    session: DbSession,
    tasks: TaskService,
    audit: Auditor,
    task_id: UUID,
    deed: str,
) -> TaskRecord:
    """Return a task the caller may touch; an admin's use of another's is written down."""
    record = await tasks.get(session, task_id, owner_id=owner_filter(user))
    if record.owner_id != user.id:
        await audit.note(session, user, f"task.{deed}", f"task:{task_id}")
    return record
