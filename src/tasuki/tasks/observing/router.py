"""What operators see, over HTTP, for admins."""

from typing import Annotated

from fastapi import APIRouter

from tasuki.tasks.observing.numbers import TaskNumbers
from tasuki.tasks.observing.overview import QueueOverview
from tasuki.tasks.observing.schemas import Queues, Workers
from tasuki.web.depends import AdminUser, provided
from tasuki.web.problem import ProblemRoute

router = APIRouter(prefix="/admin", tags=["admin"], route_class=ProblemRoute)


@router.get("/queues")
async def list_queues(
    _: AdminUser, queues: Annotated[QueueOverview, provided(QueueOverview)]
) -> Queues:
    """Show what waits and runs in each queue and lane; a few seconds old."""
    return Queues(items=await queues.read())


@router.get("/workers")
async def list_workers(
    _: AdminUser, numbers: Annotated[TaskNumbers, provided(TaskNumbers)]
) -> Workers:
    """Show the workers that live, and those lately lost, from what they tell the database."""
    return Workers.of(await numbers.workers(), await numbers.lost_workers(), await numbers.held())
