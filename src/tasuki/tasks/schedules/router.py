"""Schedules over HTTP, for admins."""

from typing import Annotated

from fastapi import APIRouter

from tasuki.tasks.schedules.schemas import ScheduleChange, ScheduleOut, Schedules
from tasuki.tasks.schedules.service import ScheduleService
from tasuki.web.audit import Auditor
from tasuki.web.depends import AdminUser, DbSession, provided
from tasuki.web.problem import ProblemRoute

router = APIRouter(prefix="/schedules", tags=["schedules"], route_class=ProblemRoute)

Service = Annotated[ScheduleService, provided(ScheduleService)]


@router.get("")
async def list_schedules(_: AdminUser, session: DbSession, schedules: Service) -> Schedules:
    """List what begins by the clock, with its last and next run."""
    found = await schedules.status(session)
    return Schedules(items=[ScheduleOut.model_validate(status) for status in found])


@router.patch("/{name}")
async def switch_schedule(
    admin: AdminUser,
    session: DbSession,
    schedules: Service,
    audit: Annotated[Auditor, provided(Auditor)],
    name: str,
    change: ScheduleChange,
) -> ScheduleOut:
    """Switch a schedule on or off."""
    status = await schedules.switch(session, name, enabled=change.enabled)
    await audit.note(session, admin, "schedule.switch", f"schedule:{name}")
    return ScheduleOut.model_validate(status)
