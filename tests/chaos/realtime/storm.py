"""A random schedule of publications, of clients that leave, and of faults; and its verdict.

Two web processes, a worker and a Valkey are mistreated; the same seed is the same schedule. When
exactly a kill meets a publication is up to the machine.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from signal import SIGCONT, SIGSTOP
from typing import Any

import asyncpg

from chaos.house import LONG_S, House, signed_in
from chaos.ledger import Book
from chaos.realtime.doors import PROOF, TABLE, say_from_worker
from chaos.realtime.ledger import Findings, Story, judge_story
from chaos.realtime.parties import Lines, Listener, Socket, Speaker, Stream
from support.brokers import Valkey
from support.client import Client
from support.servers import free_port
from support.system import Part
from support.waiting import until, wait_until

MODULE = "chaos.realtime.process"
"""What the processes of the house have to load."""
CHANNELS = tuple(PROOF.channel(key) for key in "abc")
_SPEAKERS = 3
_BUSY = "SELECT count(*) FROM tasks WHERE finished_at IS NULL"
_UNPUBLISHED = "SELECT count(*) FROM outbox"

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
        self._lots = self._numbers("faults")
        self._said = Book(house.folder / "said.jsonl")
        self._heard = Book(house.folder / "heard.jsonl")
        self._listeners: list[Listener] = []
        self._urls: list[str] = []

    async def run(self, *, for_s: float) -> Findings:
        """Publish and break things for so long, at least each thing once; then judge."""
        async with asyncpg.create_pool(self._house.database_url, min_size=1, max_size=4) as pool:
            await pool.execute(TABLE)
            await self._begin()
            async with signed_in(self._house) as client:
                self._listen(client, pool)
                async with self._speaking(client):
                    await self._break_things(for_s)
                await self._come_to_rest(client, pool)
            rows = await pool.fetch("SELECT id, channel, how FROM proof")
        state = {row["id"]: (row["channel"], row["how"]) for row in rows}
        return judge_story(Story(self._said.read(), self._heard.read(), state))

    async def _begin(self) -> None:
        house = self._house
        house.tasuki.register(say_from_worker)
        ports = [free_port(), free_port()]
        self._urls = [f"http://127.0.0.1:{port}" for port in ports]
        await asyncio.gather(
            *(house.keep(f"web-{port}", partial(house.web, port)) for port in ports),
            house.keep_worker("io"),
        )

    def _listen(self, client: Client, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        wanted: list[tuple[type[Listener], tuple[str, ...]]] = [
            (Stream, CHANNELS),
            (Stream, CHANNELS[:2]),
            (Lines, CHANNELS),
            *((Stream, (channel,)) for channel in CHANNELS),
            *((Socket, (channel,)) for channel in CHANNELS),
        ]
        self._listeners = [
            kind(
                f"{kind.kind}-{number}",
                channels,
                urls=self._urls,
                client=client,
                database=pool,
                book=self._heard,
                rng=self._numbers(f"listener {number}"),
            )
            for number, (kind, channels) in enumerate(wanted)
        ]
        for listener in self._listeners:
            _ = self._house.own(listener.run())

    @asynccontextmanager
    async def _speaking(self, client: Client) -> AsyncGenerator[None]:
        names = [*(f"web-{number}" for number in range(_SPEAKERS)), "worker"]
        speaking = [
            asyncio.create_task(self._speaker(client, name, is_worker=name == "worker").run())
            for name in names
        ]
        try:
            yield
        finally:
            for task in speaking:
                task.cancel()
            await asyncio.wait(speaking)
        for task in speaking:
            if not task.cancelled():
                task.result()

    def _speaker(self, client: Client, name: str, *, is_worker: bool = False) -> Speaker:
        submit: Any = partial(self._house.tasuki.submit, say_from_worker)
        return Speaker(
            name,
            CHANNELS,
            urls=self._urls,
            client=client,
            book=self._said,
            rng=self._numbers(name),
            from_worker=submit if is_worker else None,
        )

    async def _break_things(self, for_s: float) -> None:
        deadline = time.monotonic() + for_s
        faults: list[Fault] = []
        is_first = True
        while time.monotonic() < deadline or faults or is_first:
            if not faults:  # each once, in an order of their own; then all anew
                is_first = False
                faults = [self._drop, self._drop, self._kill_web, self._kill_web, self._cut]
                faults += [self._kill_worker, self._forget, self._forget_scripts]
                faults += [self._restart_valkey, self._stall, self._cut]
                self._lots.shuffle(faults)
            await faults.pop()()
            await asyncio.sleep(self._lots.uniform(0.2, 1.2))

    async def _drop(self) -> None:
        some = self._lots.sample(self._listeners, len(self._listeners) // 2)
        self._note("drop")
        for listener in some:
            listener.drop()

    async def _kill_web(self) -> None:
        self._house.kill(await self._any_web(), "storm")

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

    async def _forget(self) -> None:
        self._note("forget")
        await asyncio.to_thread(self._valkey.forget)

    async def _forget_scripts(self) -> None:
        self._note("forget scripts")
        await asyncio.to_thread(self._valkey.forget_scripts)

    async def _restart_valkey(self) -> None:
        self._note("kill", part="valkey")
        await asyncio.to_thread(self._valkey.kill)
        await asyncio.sleep(self._lots.uniform(0, 1))
        await asyncio.to_thread(self._valkey.start)

    async def _come_to_rest(self, client: Client, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        """Wait until nothing is on its way, say a last word, and wait until all have heard it."""

        async def is_quiet() -> bool:
            return not await pool.fetchval(_BUSY) and not await pool.fetchval(_UNPUBLISHED)

        await wait_until(is_quiet, within=2 * LONG_S, what="an empty outbox and no task")
        last = {}
        for channel in CHANNELS:
            speaker = self._speaker(client, f"last-{channel}")
            last[channel] = await self._last_word(speaker, channel)

        def missing() -> list[str]:
            return [
                f"{listener.name}: {channel}"
                for listener in self._listeners
                for channel in listener.channels
                if last[channel] not in listener.knows[channel]
            ]

        # Who has not heard it by then has lost it: the verdict says so.
        try:
            await until(lambda: not missing(), within=LONG_S, what="the last word")
        except AssertionError:
            self._note("last word not heard", by=missing())

    async def _last_word(self, speaker: Speaker, channel: str) -> str:
        number = 0

        async def is_said() -> bool:
            nonlocal number
            number += 1
            return await speaker.say(channel, "now") == "ok"

        await wait_until(is_said, within=LONG_S, what="a last word")
        return f"{speaker.name}-{number}"

    async def _any_web(self) -> Part:
        """Return a web process that lives; with none, wait for one."""

        async def living() -> list[Part]:
            kept = self._house.kept
            return [
                kept[name]
                for name in sorted(kept)
                if name.startswith("web-") and kept[name].process.poll() is None
            ]

        return self._lots.choice(await wait_until(living, within=LONG_S, what="a web process"))

    def _note(self, what: str, **words: Any) -> None:
        self._house.kills.write(what=what, **words)

    def _numbers(self, use: str) -> random.Random:
        return random.Random(f"{self._seed} {use}")  # noqa: S311  # a schedule, no secret
