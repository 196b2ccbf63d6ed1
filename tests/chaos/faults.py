"""What a storm breaks: processes, the broker, the database, one of them at a time."""

import asyncio
import contextlib
import json
import os
import random
import subprocess
import uuid
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from signal import SIGCONT, SIGSTOP
from urllib.error import URLError

import asyncpg
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from chaos.bells import ring
from chaos.house import LEASE_S, House, children
from support.brokers import Broker
from support.databases import Postgres

_ROLES = ("io", "cpu", "web", "scheduler")
_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_Fault = Callable[[], Awaitable[None]]


class Faults:
    """Breaks something, by lot, and writes it down.

    Args:
        brokers: What the house's bells go through, and what its notices do if not the same.
        postgres: The house's database server, if nobody else uses it; else only connections
            to it are broken, and nothing that takes long.
        rng: Draws the lots.
    """

    def __init__(
        self,
        house: House,
        brokers: Sequence[Broker],
        postgres: Postgres | None,
        rng: random.Random,
    ) -> None:
        self._house = house
        self._brokers = brokers
        self._postgres = postgres
        self._rng = rng
        self._often: list[_Fault] = [self._kill, self._kill, self._kill_child, self._stall]
        self._often += [self._forget, self._cut, self._restart_broker, self._ring_in_vain]
        self._seldom: list[_Fault] = [self._kill_workers, self._ring_too_often, self._cut_database]
        if postgres is not None:  # a long storm: each of these takes seconds
            self._seldom += [self._fill_broker, self._hush_broker, self._restart_database]

    async def strike(self) -> None:
        """Break one thing."""
        await self._rng.choice(self._often * 2 + self._seldom)()

    def _any_broker(self) -> Broker:
        return self._rng.choice(self._brokers)

    def _note(self, what: str, **words: str) -> None:
        self._house.kills.write(what=what, **words)

    async def _kill(self) -> None:
        role = self._rng.choice(_ROLES)
        self._house.kill(self._house.kept[role], "storm")

    async def _kill_workers(self) -> None:
        for role in ("io", "cpu"):
            self._house.kill(self._house.kept[role], "all of them")

    async def _kill_child(self) -> None:
        with contextlib.suppress(Exception):  # it may have died this very moment
            found = children(self._house.kept["cpu"])
            if found:
                self._house.kill_pid(self._rng.choice(found))

    async def _stall(self) -> None:
        """Stop a process past its lease, and let it go on as if nothing had been."""
        part = self._house.kept[self._rng.choice(_ROLES)]
        self._note("stall", part=part.name)
        with contextlib.suppress(ProcessLookupError):
            part.signal(SIGSTOP)
            await asyncio.sleep(LEASE_S * self._rng.uniform(0.5, 2))
            part.signal(SIGCONT)

    async def _forget(self) -> None:
        self._note("forget")
        await _try(self._any_broker().forget)

    async def _cut(self) -> None:
        self._note("cut")
        await _try(self._any_broker().cut)

    async def _restart_broker(self) -> None:
        self._note("kill", part="broker")
        broker = self._any_broker()
        await asyncio.to_thread(broker.kill)
        await asyncio.sleep(self._rng.uniform(0, 1))
        await asyncio.to_thread(broker.start)

    async def _fill_broker(self) -> None:
        """Let it have no memory for a while; RabbitMQ then stops reading."""
        self._note("no memory")
        with contextlib.ExitStack() as stack:
            filled = self._any_broker().out_of_memory()
            await _try(partial(stack.enter_context, filled))
            await asyncio.sleep(self._rng.uniform(0.5, 2))
            await _try(stack.close)

    async def _hush_broker(self) -> None:
        """Let it take connections and say nothing."""
        self._note("silence")
        broker = self._any_broker()
        broker.signal(SIGSTOP)
        await asyncio.sleep(self._rng.uniform(0.5, 4))
        broker.signal(SIGCONT)

    async def _ring_in_vain(self) -> None:
        """Push what no worker can read."""
        self._note("garbage")
        for queue in ("default", "default.cpu"):
            text = json.dumps({"body": os.urandom(8).hex(), "properties": {}})
            bodies = (text.encode(), uuid.uuid4().bytes)
            await _try(partial(self._brokers[0].spoil, queue, *bodies))

    async def _ring_too_often(self) -> None:
        """Ring a hundred times, for a task that was ordered before, or for none."""
        self._note("bells")
        orders = [line["id"] for line in self._house.attempts.read() if line["outcome"] == "ok"]
        task_id = self._rng.choice([*orders[-20:], str(uuid.uuid4())])
        await _try(partial(ring, self._brokers[0].url, self._house, 100, task_id=task_id))

    async def _cut_database(self) -> None:
        self._note("cut", part="database")
        with contextlib.suppress(asyncpg.PostgresError, OSError):
            connection = await asyncpg.connect(self._house.database_url)
            await connection.execute(_CUT)
            await connection.close()

    async def _restart_database(self) -> None:
        """Stop it at once, as a crash does, and start it again."""
        assert self._postgres is not None
        self._note("kill", part="database")
        await asyncio.to_thread(self._postgres.kill)
        await asyncio.sleep(self._rng.uniform(0, 2))
        await asyncio.to_thread(self._postgres.start)


async def _try(fault: Callable[[], object]) -> None:
    """Do it, unless the broker is in no state for it."""
    unable = (RedisError, OSError, subprocess.SubprocessError, OperationalError, URLError)
    with contextlib.suppress(*unable):
        await asyncio.to_thread(fault)
