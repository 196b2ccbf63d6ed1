"""Downloads that the caller prefers as a task (``Prefer: respond-async``, RFC 7240)."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Response

from tasuki.core.errors import ValidationFailed
from tasuki.exports.tasks import run_export
from tasuki.tasks import TaskService
from tasuki.tasks.declare import Task
from tasuki.tasks.ordering import Desk, Orders
from tasuki.tasks.records import TaskHandle
from tasuki.tasks.schemas import TaskOut
from tasuki.web.depends import CurrentUser, DbSession, provided


class Preference:
    """What the caller of a download prefers."""

    def __init__(
        self,
        user: CurrentUser,
        session: DbSession,
        tasks: Annotated[TaskService, provided(TaskService)],
        orders: Orders,
        mail_me: Annotated[
            bool, Query(description="With `respond-async`: write to your own, verified address.")
        ] = False,
        prefer: Annotated[str, Header(description="`respond-async`: as a task (RFC 7240).")] = "",
    ) -> None:
        self.is_task = "respond-async" in prefer.lower()
        self._user = user
        self._session = session
        self._tasks = tasks
        self._orders = orders
        self._mail_me = mail_me
        if mail_me and not self.is_task:
            problem = "is for an export as a task; add `Prefer: respond-async`"
            errors = [{"loc": ["query", "mail_me"], "msg": problem}]
            raise ValidationFailed(f"mail_me: {problem}", errors=errors)

    async def order(self, args: dict[str, Any]) -> Response:
        """Order the export as a task, and answer with it."""
        task = run_export.having(owner_id=self._user.id)
        handle = await order_told(self._orders, task, args, mail_me=self._mail_me)
        record = await self._tasks.get(self._session, handle.id, owner_id=self._user.id)
        return Response(
            TaskOut.of(record).model_dump_json(),
            HTTPStatus.ACCEPTED,
            media_type="application/json",
            headers={
                "Location": f"/api/v1/tasks/{handle.id}",
                "Preference-Applied": "respond-async",
            },
        )


Preferred = Annotated[Preference, Depends()]


async def order_told(
    orders: Desk, task: Task[..., Any], args: dict[str, Any], *, mail_me: bool
) -> TaskHandle:
    """Order an export as a task; who wishes is told by mail when its file is there."""
    return await orders.enqueue(
        task,
        args,
        mail_me=mail_me,
        template="export_ready",
        values={"dataset": args["dataset"]},
    )
