"""Activity over HTTP."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter

from tasuki.activity.schemas import ActivityIn, ActivityOut
from tasuki.activity.service import ActivityService
from tasuki.web.depends import CurrentUser, DbSession, provided
from tasuki.web.problem import ProblemRoute

router = APIRouter(prefix="/activity", tags=["activity"], route_class=ProblemRoute)


@router.post("", status_code=HTTPStatus.CREATED)
async def record_activity(
    user: CurrentUser,
    session: DbSession,
    activity: Annotated[ActivityService, provided(ActivityService)],
    body: ActivityIn,
) -> ActivityOut:
    """Record something you did; your activity report counts it."""
    recorded = await activity.record(
        session, user_id=user.id, kind=body.kind, data=body.data, at=body.at
    )
    return ActivityOut.of(recorded)
