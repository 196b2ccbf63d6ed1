"""Tasks that begin by the clock."""

from tasuki.tasks.schedules.declare import CatchUp, Cron, Every, Schedule
from tasuki.tasks.schedules.scheduler import Scheduler
from tasuki.tasks.schedules.service import ScheduleService

__all__ = ["CatchUp", "Cron", "Every", "Schedule", "ScheduleService", "Scheduler"]
