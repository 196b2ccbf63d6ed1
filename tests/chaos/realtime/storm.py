"""A random schedule of publications, of clients that leave, and of faults; and its verdict.

Two web processes, a worker and a Valkey are mistreated; the same seed is the same schedule. When
exactly a kill meets a publication is up to the machine.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from signal import SIGCONT, SIGSTOP
from typing import Any

import asyncpg

from chaos.house import LONG_S, House, signed_in
from chaos.realtime.company import Company
from chaos.realtime.doors import say_from_worker
from chaos.realtime.ledger import Findings
from support.brokers import Valkey
from support.servers import free_port
from support.system import Part
from support.waiting import wait_until

MODULE = "chaos.realtime.process"
"""What the processes of the house have to load."""

_BRISK = {"TASUKI_WEB__DRAIN_S": "1", "TASUKI_WEB__DRAIN_DELAY_S": "0"}
_OURS = "proof"
_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name <> $1
"""

Fault = Callable[[], Awaitable[None]]


class LiveStorm:
    """One run on a house of its own.

    Args:
        valkey: What the house's publications go through.
        seed: Same seed, same schedule.
    """

    def __init__(self, house: House, valkey: Valkey, *, seed: int) -> None:
        self._house = house
        self._valkey = valkey
        self._seed = seed
        self._company: Company
        self._pool: asyncpg.Pool[asyncpg.Record]

    async def run(self, *, for_s: float) -> Findings:
        """Publish and break things for so long, at least each thing once; then judge."""
        house = self._house
        house.tasuki.register(say_from_worker)
        ports = [free_port(), free_port()]
        await asyncio.gather(
            *(house.keep(f"web-{port}", partial(house.web, port, **_BRISK)) for port in ports),
            house.keep_worker("io"),
        )
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        submit: Any = partial(house.tasuki.submit, say_from_worker)
        async with (
            asyncpg.create_pool(
                house.database_url,
                min_size=1,
                max_size=4,
                server_settings={"application_name": _OURS},
            ) as pool,
            signed_in(house) as client,
        ):
            self._pool = pool
            company = Company(house.folder, pool, urls=urls, client=client, seed=self._seed)
            async with company.listening():
                async with company.speaking(submit):
                    await self._break_things(company, for_s)
                missing = await company.come_to_rest(within_s=LONG_S)
            self._note("rest", missing=missing)
            return await company.verdict()

    async def _break_things(self, company: Company, for_s: float) -> None:
        self._company, self._lots = company, company.numbers("faults")
        deadline = time.monotonic() + for_s
        while True:  # each once, in an order of their own; then all anew
            faults: list[Fault] = [self._drop, self._drop, self._kill_web, self._kill_web]
            faults += [self._kill_worker, self._stall, self._cut, self._cut, self._forget]
            faults += [self._forget_scripts, self._go_back, self._restart_valkey]
            faults += [self._stop_web, self._cut_database]
            self._lots.shuffle(faults)
            for fault in faults:
                await fault()
                await asyncio.sleep(self._lots.uniform(0.2, 1.2))
            if time.monotonic() > deadline:
                return

    async def _drop(self) -> None:
        self._note("drop")
        self._company.drop(self._lots)

    async def _kill_web(self) -> None:
        self._house.kill(await self._any_web(), "storm")

    async def _stop_web(self) -> None:
        """Ask it to stop; it sends its clients away first."""
        part = await self._any_web()
        self._note("stop", part=part.name)
        part.process.terminate()

    async def _kill_worker(self) -> None:
        worker = self._house.kept["io"]
        if worker.process.poll() is None:
            self._house.kill(worker, "storm")

    async def _stall(self) -> None:
        """Stop a web process, and let it go on as if nothing had been."""
        part = await self._any_web()
        self._note("stall", part=part.name)
        part.signal(SIGSTOP)
        await asyncio.sleep(self._lots.uniform(0.3, 1.5))
        part.signal(SIGCONT)

    async def _cut(self) -> None:
        self._note("cut")
        await asyncio.to_thread(self._valkey.cut)

    async def _cut_database(self) -> None:
        self._note("cut", part="database")
        await self._pool.execute(_CUT, _OURS)

    async def _forget(self) -> None:
        self._note("forget")
        await asyncio.to_thread(self._valkey.forget)

    async def _forget_scripts(self) -> None:
        self._note("forget scripts")
        await asyncio.to_thread(self._valkey.forget_scripts)

    async def _go_back(self) -> None:
        """Forget the last moments, as a machine does that loses its power."""
        self._note("go back")
        before = await asyncio.to_thread(self._valkey.everything)
        await asyncio.sleep(self._lots.uniform(0.1, 1))
        await asyncio.to_thread(self._valkey.go_back, before)

    async def _restart_valkey(self) -> None:
        self._note("kill", part="valkey")
        await asyncio.to_thread(self._valkey.kill)
        await asyncio.sleep(self._lots.uniform(0, 1))
        await asyncio.to_thread(self._valkey.start)

    async def _any_web(self) -> Part:
        """Return a web process that lives; with none, wait for one."""

        async def living() -> list[Part]:
            kept = self._house.kept
            return [
                kept[name]
                for name in sorted(kept)
                if name.startswith("web-") and kept[name].process.poll() is None
            ]

        return self._lots.choice(await wait_until(living, within=2 * LONG_S, what="a web process"))

    def _note(self, what: str, **words: Any) -> None:
        self._house.kills.write(what=what, **words)
