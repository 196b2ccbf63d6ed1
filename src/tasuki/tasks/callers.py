"""What the endpoints of tasks and batches need to know about who is calling."""

from typing import Annotated

from fastapi import Depends, Request

from tasuki.tasks.events import Viewer
from tasuki.web.depends import CurrentUser, provided, recheck
from tasuki.web.draining import Draining
from tasuki.web.principal import Principal


def owner_filter(user: Principal) -> int | None:
    """Return whose tasks a caller may touch; none: everybody's."""
    return None if user.is_admin else user.id


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
