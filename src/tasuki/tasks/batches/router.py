"""Batches over HTTP: order many tasks at once, see how far they are, cancel, watch."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Response

from tasuki.core.database import Database
from tasuki.core.errors import Forbidden
from tasuki.core.notices import Notices
from tasuki.tasks.batches.records import BatchRecord
from tasuki.tasks.batches.schemas import BatchOrder, BatchOut
from tasuki.tasks.batches.service import BatchService
from tasuki.tasks.batches.watch import BatchWatch
from tasuki.tasks.callers import Watcher, owner_filter
from tasuki.tasks.events import Position
from tasuki.tasks.ordering import Orders
from tasuki.tasks.service import TaskService
from tasuki.web.audit import Auditor
from tasuki.web.depends import CurrentUser, DbSession, IdempotencyKey, StreamUser, provided
from tasuki.web.principal import Principal
from tasuki.web.problem import ProblemRoute
from tasuki.web.sse import EventStreamResponse

router = APIRouter(prefix="/batches", tags=["batches"], route_class=ProblemRoute)

Batches = Annotated[BatchService, provided(BatchService)]
Tasks = Annotated[TaskService, provided(TaskService)]
Audit = Annotated[Auditor, provided(Auditor)]


@router.post("", status_code=HTTPStatus.ACCEPTED, responses={200: {"model": BatchOut}})
async def order_batch(
    user: CurrentUser,
    session: DbSession,
    batches: Batches,
    tasks: Tasks,
    orders: Orders,
    order: BatchOrder,
    response: Response,
    key: IdempotencyKey = None,
) -> BatchOut:
    """Order one task many times over; needs the scope `task:NAME`, as does what follows it.

    Either all are accepted or none. Follow the batch at `Location`.
    """
    follow_up = order.on_complete
    for name in [order.name, *([follow_up.name] if follow_up else [])]:
        if not user.has_scope(f"task:{name}"):
            raise Forbidden(f"Ordering it needs the scope task:{name}.")
    task = tasks.declared(order.name).having(
        idempotency_key=key,
        queue=order.queue,
        priority=order.priority,
        tags=order.tags,
        owner_id=user.id,
    )
    then, then_args = await orders.about_batch(mail_me=order.mail_me)
    handle = await batches.enqueue(
        session,
        task,
        order.args,
        then=then,
        then_args=then_args,
        on_complete=tasks.declared(follow_up.name) if follow_up else None,
        on_complete_args=follow_up.args if follow_up else None,
        for_user=None if user.is_admin else user.id,
    )
    if not handle.is_new:
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = f"/api/v1/batches/{handle.id}"
    return BatchOut.model_validate(await batches.get(session, handle.id, owner_id=user.id))


@router.get("/{batch_id}")
async def get_batch(
    user: CurrentUser, session: DbSession, batches: Batches, audit: Audit, batch_id: UUID
) -> BatchOut:
    """Show how far a batch is; its tasks are at `/api/v1/tasks?batch_id=`."""
    return BatchOut.model_validate(await _find(user, session, batches, audit, batch_id, "read"))


@router.post("/{batch_id}/cancel", status_code=HTTPStatus.ACCEPTED)
async def cancel_batch(
    user: CurrentUser, session: DbSession, batches: Batches, audit: Audit, batch_id: UUID
) -> BatchOut:
    """Cancel a batch as a whole: what waits ends at once, what runs at its next step."""
    record = await _find(user, session, batches, audit, batch_id, "cancel")
    await batches.cancel(session, batch_id, owner_id=record.owner_id)
    return BatchOut.model_validate(await batches.get(session, batch_id, owner_id=None))


@router.get("/{batch_id}/events", response_class=EventStreamResponse)
async def watch_batch(
    user: StreamUser,
    batches: Batches,
    tasks: Tasks,
    audit: Audit,
    database: Annotated[Database, provided(Database)],
    notices: Annotated[Notices, provided(Notices)],
    viewer: Watcher,
    batch_id: UUID,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Watch a batch live (Server-Sent Events): `snapshot`, `progress`, and last `completed`.

    At most four events a second, the newest numbers each. With the `Last-Event-ID` of an
    earlier connection it goes on from there; after `completed` the answer is 204.
    """
    async with database.unit_of_work() as session:
        await _find(user, session, batches, audit, batch_id, "watch")
    watch = BatchWatch(
        batch_id=batch_id,
        batches=batches,
        tasks=tasks,
        viewer=viewer,
        database=database,
        notices=notices,
    )
    if not await watch.begin(Position.read(last_event_id)):
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return EventStreamResponse(watch.follow)


async def _find(
    user: Principal,
    session: DbSession,
    batches: BatchService,
    audit: Auditor,
    batch_id: UUID,
    deed: str,
) -> BatchRecord:
    """Return a batch the caller may touch; an admin's use of another's is written down."""
    record = await batches.get(session, batch_id, owner_id=owner_filter(user))
    if record.owner_id != user.id:
        await audit.note(session, user, f"batch.{deed}", f"batch:{batch_id}")
    return record
