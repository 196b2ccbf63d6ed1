"""Loaded by a scheduler: it dies between the mark and the bell."""

import os
import signal
from collections.abc import Iterable

from tasuki.tasks.engine.repository import Bell
from tasuki.tasks.ringer import CeleryRinger


async def _die(self: CeleryRinger, bells: Iterable[Bell]) -> None:
    del self, bells
    os.kill(os.getpid(), signal.SIGKILL)


CeleryRinger.ring = _die  # type: ignore[method-assign]  # what a mutant is
