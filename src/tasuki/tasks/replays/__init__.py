"""Ordering again what did not succeed, one task or many."""

from typing import TYPE_CHECKING

from tasuki.core.faces import opened_late

if TYPE_CHECKING:
    from tasuki.tasks.replays.schemas import Replayable, ReplayWanted
    from tasuki.tasks.replays.service import ReplayService
else:
    __getattr__ = opened_late(
        __name__,
        {"Replayable": "schemas", "ReplayService": "service", "ReplayWanted": "schemas"},
    )

__all__ = ["ReplayService", "ReplayWanted", "Replayable"]
