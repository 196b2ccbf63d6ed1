"""What users did: recorded one by one, counted by day."""

from tasuki.activity.records import Activity, ActivityTuple, DayCount
from tasuki.activity.repository import ActivityRepository
from tasuki.activity.service import ActivityService

__all__ = [
    "Activity",
    "ActivityRepository",
    "ActivityService",
    "ActivityTuple",
    "DayCount",
]
