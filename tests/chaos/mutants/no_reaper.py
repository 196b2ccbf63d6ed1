"""Loaded by every process: nobody looks after ended leases and lost bells."""

from tasuki.tasks.engine.reaper import Reaper


async def _do_nothing(self: Reaper) -> None:
    del self


Reaper.go_round = _do_nothing  # type: ignore[method-assign]  # what a mutant is
