"""A schedule with a slot in each second, for many schedulers at once."""

import asyncio
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import asyncpg

from chaos.house import LONG_S, House
from support.system import EndedEarly, Part
from support.waiting import wait_until
from tasuki import TaskContext, task
from tasuki.tasks.schedules import Every, Schedule

_SECOND = timedelta(seconds=1)
_ORDERED = "SELECT idempotency_key, state FROM tasks WHERE name = 'chaos.tick'"


@task("chaos.tick")
async def tick(ctx: TaskContext) -> None:
    """Do nothing, once a second."""
    del ctx


TICKING = Schedule(task=tick, at=Every(_SECOND))


@dataclass
class Slots:
    """Which slots were ordered, and what became of the orders.

    Attributes:
        counts: Orders of each slot.
        states: Orders in each state.
        kills: How many schedulers were killed.
    """

    counts: Counter[datetime] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    kills: int = 0

    @property
    def faults(self) -> list[str]:
        """Slots that were left out or ordered twice, in words."""
        slots = sorted(self.counts)
        twice = [f"{slot} {count} times" for slot, count in self.counts.items() if count != 1]
        holes = [f"none from {a} to {b}" for a, b in pairwise(slots) if b - a != _SECOND]
        return twice + holes

    def __str__(self) -> str:
        """Return one line."""
        verdict = "RED" if self.faults else "ok"
        return f"{verdict}: slots={len(self.counts)} kills={self.kills} {dict(self.states)}"


async def tick_under_kills(house: House, *, schedulers: int, for_s: float, seed: int) -> Slots:
    """Run so many schedulers, kill and start some of them all the time, and read what was ordered.

    Each kill is a ``kill -9``, of one, of several or of all of them.

    Args:
        house: Its workers and schedulers know this module.
    """
    rng, kills = random.Random(seed), 0  # noqa: S311  # a schedule, no secret
    running = list(await asyncio.gather(*(house.scheduler() for _ in range(schedulers))))
    await house.worker()
    until = time.monotonic() + for_s
    while time.monotonic() < until:
        await asyncio.sleep(rng.uniform(0.1, 1.5))
        doomed = rng.sample(running, rng.choice([1, 2, schedulers // 2, schedulers]))
        for part in doomed:
            house.kill(part)
        kills += len(doomed)
        kept = [part for part in running if part not in doomed]
        running = [*kept, *await asyncio.gather(*(_start(house) for _ in doomed))]
    for part in running:
        part.process.send_signal(signal.SIGTERM)
    return await _read(house, kills)


async def _start(house: House) -> Part:
    while True:
        with suppress(EndedEarly):
            return await house.scheduler()


async def _read(house: House, kills: int) -> Slots:
    """Wait until all that was ordered has run, and count."""

    async def look() -> Slots | None:
        connection = await asyncpg.connect(house.database_url)
        try:
            rows = await connection.fetch(_ORDERED)
        finally:
            await connection.close()
        found = Slots(kills=kills)
        for row in rows:
            found.counts[datetime.fromisoformat(row["idempotency_key"].split(":", 2)[2])] += 1
            found.states[row["state"]] += 1
        return found if set(found.states) == {"succeeded"} else None

    slots = await wait_until(look, within=LONG_S, what="the end of what was ordered")
    assert slots is not None
    return slots
