"""What the endpoints of tasks and batches share: who is calling, and pages of tasks."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from tasuki.tasks.events import Viewer
from tasuki.tasks.records import TaskRecord
from tasuki.tasks.schemas import TaskOut
from tasuki.web.depends import CurrentUser, provided, recheck
from tasuki.web.draining import Draining
from tasuki.web.paging import Page, bad_cursor, next_cursor, read_cursor
from tasuki.web.principal import Principal


def owner_filter(user: Principal) -> int | None:
    """Return whose tasks a caller may touch; none: everybody's."""
    return None if user.is_admin else user.id


def read_id(cursor: str | None) -> UUID | None:
    """Return the id of the last task of the page before.

    Raises:
        ValidationFailed: The cursor is not one of ours.
    """
    if cursor is None:
        return None
    try:
        return UUID(read_cursor(cursor))
    except ValueError as exc:
        raise bad_cursor() from exc


def page_of(found: Sequence[TaskRecord], limit: int) -> Page[TaskOut]:
    """Return a page of tasks.

    Args:
        found: One more than belong on the page, if there are more.
    """
    return Page(
        items=[TaskOut.of(record) for record in found[:limit]],
        next=next_cursor(found, limit, lambda record: record.id),
    )


def _viewer(
    user: CurrentUser, request: Request, draining: Annotated[Draining, provided(Draining)]
) -> Viewer:
    return Viewer(
        owner_id=owner_filter(user),
        keys=(f"credential:{user.credential}", f"user:{user.id}"),
        is_allowed=lambda: recheck(request, user),
        is_stopping=lambda: bool(draining),
    )


Watcher = Annotated[Viewer, Depends(_viewer)]
"""The caller as somebody who watches a stream."""
