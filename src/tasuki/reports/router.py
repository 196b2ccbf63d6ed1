"""Reports over HTTP: order one; the rest is a task like any other."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Response

from tasuki.core.errors import NotFound
from tasuki.reports.schemas import ReportAccepted, ReportOrder
from tasuki.reports.service import People
from tasuki.reports.tasks import user_activity
from tasuki.tasks.ordering import Orders
from tasuki.web.audit import Auditor
from tasuki.web.depends import (
    CurrentUser,
    DbSession,
    IdempotencyKey,
    body_instead_of_query,
    provided,
)
from tasuki.web.problem import ProblemRoute

router = APIRouter(prefix="/tasks", tags=["reports"], route_class=ProblemRoute)


@router.post(
    "/generate-report/",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[Depends(body_instead_of_query(example={"days": 30, "timezone": "UTC"}))],
    responses={200: {"model": ReportAccepted, "description": "Ordered before, with this key."}},
)
async def generate_report(
    user: CurrentUser,
    session: DbSession,
    orders: Orders,
    people: Annotated[People, provided(People)],
    audit: Annotated[Auditor, provided(Auditor)],
    response: Response,
    order: Annotated[ReportOrder, Body()] = ReportOrder(),  # noqa: B008  # frozen: nobody can change it
    key: IdempotencyKey = None,
) -> ReportAccepted:
    """Order an activity report as a PDF. Watch the task at `Location`."""
    subject = user.id if order.user_id is None else order.user_id
    if subject != user.id:
        if not user.is_admin:
            raise NotFound("There is no such user for you.")
        await people.person(session, subject)
        await audit.note(session, user, "report.order", f"user:{subject}")
    args = order.model_dump(exclude={"user_id", "mail_me"}) | {"user_id": subject}
    task = user_activity.having(owner_id=user.id, idempotency_key=key)
    handle = await orders.enqueue(task, args, mail_me=order.mail_me, template="report_ready")
    if not handle.is_new:
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = f"/api/v1/tasks/{handle.id}"
    return ReportAccepted(task_id=handle.id)
