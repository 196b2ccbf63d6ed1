"""Notifications over HTTP, and the socket of them."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from tasuki.notifications.schemas import Inbox, NotificationIn, NotificationOut
from tasuki.notifications.service import NotificationService, Place
from tasuki.notifications.sockets import open_session
from tasuki.realtime.sockets import add_sockets
from tasuki.web.depends import AdminUser, CurrentUser, DbSession, provided
from tasuki.web.paging import Cursor, Limit, bad_cursor, next_cursor, read_cursor
from tasuki.web.problem import ProblemRoute

router = APIRouter(tags=["notifications"], route_class=ProblemRoute)

add_sockets(router, "/ws/notifications/{user_id}", open_session)

Notifications = Annotated[NotificationService, provided(NotificationService)]


@router.post("/notifications", status_code=HTTPStatus.CREATED)
async def tell(
    admin: AdminUser,  # noqa: ARG001  # asking for it is the check
    session: DbSession,
    notifications: Notifications,
    body: NotificationIn,
) -> NotificationOut:
    """Tell a user something, or everybody. It is in their inbox, and at once in open tabs."""
    if body.user_id is None:
        told = await notifications.broadcast(session, body.note())
    else:
        told = await notifications.notify(session, body.user_id, body.note())
    return NotificationOut.of(told)


@router.get("/notifications")
async def inbox(
    user: CurrentUser,
    session: DbSession,
    notifications: Notifications,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Inbox:
    """List what you were told, newest first, and count what you have not read."""
    before = None if cursor is None else _place_in(cursor)
    found = await notifications.inbox(session, user.id, before=before, limit=limit + 1)
    return Inbox(
        items=[NotificationOut.of(told) for told in found[:limit]],
        next=next_cursor(found, limit, lambda told: f"{told.created_at.isoformat()} {told.id}"),
        unread=await notifications.unread(session, user.id),
    )


@router.post("/notifications/read-all", status_code=HTTPStatus.NO_CONTENT)
async def read_all(user: CurrentUser, session: DbSession, notifications: Notifications) -> None:
    """Mark all you were told as read; your other tabs learn of it."""
    await notifications.mark_all_read(session, user.id)


@router.post("/notifications/{notification_id}/read", status_code=HTTPStatus.NO_CONTENT)
async def read(
    user: CurrentUser,
    session: DbSession,
    notifications: Notifications,
    notification_id: Annotated[UUID, Path(description="The notification's id.")],
) -> None:
    """Mark something you were told as read; your other tabs learn of it."""
    await notifications.mark_read(session, user.id, notification_id)


def _place_in(cursor: str) -> Place:
    moment, _, notification_id = read_cursor(cursor).partition(" ")
    try:
        return datetime.fromisoformat(moment).astimezone(UTC), UUID(notification_id)
    except (ValueError, OverflowError) as exc:
        raise bad_cursor() from exc
