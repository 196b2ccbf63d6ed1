"""All who listen and speak in one run, their books, and the verdict on what they wrote."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from chaos.ledger import Book
from chaos.realtime.doors import PROOF, TABLE
from chaos.realtime.ledger import Findings, Story, judge_story
from chaos.realtime.parties import Lines, Listener, Socket, Speaker, Stream
from support.client import Client
from support.waiting import until, wait_until

CHANNELS = tuple(PROOF.channel(key) for key in "abc")
_SPEAKERS = 3
_ASKED_WITHIN_S = 80.0
_BUSY = "SELECT count(*) FROM tasks WHERE finished_at IS NULL"
_UNPUBLISHED = "SELECT count(*) FROM outbox"
_EVERYTHING: tuple[tuple[type[Listener], tuple[str, ...]], ...] = (
    (Stream, CHANNELS),
    (Stream, CHANNELS[:2]),
    (Lines, CHANNELS),
    *((Stream, (channel,)) for channel in CHANNELS),
    *((Socket, (channel,)) for channel in CHANNELS),
)


class Company:
    """See the module.

    Args:
        urls: Where the web processes are.
        client: Somebody who is signed in there.
        seed: Same seed, same lots.
    """

    def __init__(
        self,
        folder: Path,
        pool: "asyncpg.Pool[asyncpg.Record]",
        *,
        urls: Sequence[str],
        client: Client,
        seed: int,
    ) -> None:
        self.said = Book(folder / "said.jsonl")
        self.heard = Book(folder / "heard.jsonl")
        self.listeners: list[Listener] = []
        self._pool = pool
        self._urls = urls
        self._client = client
        self._seed = seed

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Listen while the block runs, in every way there is."""
        await self._pool.execute(TABLE)
        self.listeners = [
            kind(
                f"{kind.__name__}-{number}",
                channels,
                urls=self._urls,
                client=self._client,
                database=self._pool,
                book=self.heard,
                rng=self.numbers(f"listener {number}"),
            )
            for number, (kind, channels) in enumerate(_EVERYTHING)
        ]
        async with _running([listener.run for listener in self.listeners]):
            yield

    @asynccontextmanager
    async def speaking(
        self, from_worker: Callable[..., Awaitable[object]]
    ) -> AsyncGenerator[None]:
        """Speak while the block runs, through web processes and through a worker."""
        speakers = [self.speaker(f"web-{number}") for number in range(_SPEAKERS)]
        speakers.append(self.speaker("worker", from_worker=from_worker))
        async with _running([speaker.run for speaker in speakers]):
            yield

    def speaker(
        self, name: str, *, from_worker: Callable[..., Awaitable[object]] | None = None
    ) -> Speaker:
        """Return somebody who speaks when told to."""
        return Speaker(
            name,
            CHANNELS,
            urls=self._urls,
            client=self._client,
            book=self.said,
            rng=self.numbers(name),
            from_worker=from_worker,
        )

    def drop(self, lots: random.Random) -> None:
        """Let half of the listeners go away, and come back."""
        for listener in lots.sample(self.listeners, len(self.listeners) // 2):
            listener.drop()

    async def all_listen(self, *, within_s: float) -> None:
        """Wait until every listener has loaded the state of its channels."""

        def do_they() -> bool:
            return all(set(one.channels) <= one.knows.keys() for one in self.listeners)

        await until(do_they, within=within_s, what="all listeners")

    async def come_to_rest(self, *, within_s: float) -> list[str]:
        """Wait until nothing is on its way, say a last word, and wait until all know it.

        Returns:
            Who does not know it after so long, and of which channel: the verdict says so too.
        """

        async def is_quiet() -> bool:
            counts = [await self._pool.fetchval(count) for count in (_BUSY, _UNPUBLISHED)]
            return counts == [0, 0]

        await wait_until(is_quiet, within=_ASKED_WITHIN_S, what="an empty outbox and no task")
        last = {channel: await self._last_word(channel) for channel in CHANNELS}

        def missing() -> list[str]:
            return [
                f"{listener.name}: {channel}"
                for listener in self.listeners
                for channel in listener.channels
                if last[channel] not in listener.knows[channel]
            ]

        try:
            await until(lambda: not missing(), within=within_s)
        except AssertionError:
            return missing()
        return []

    async def verdict(self) -> Findings:
        """Judge what was written."""
        rows = await self._pool.fetch("SELECT id, channel, how FROM proof")
        state = {row["id"]: (row["channel"], row["how"]) for row in rows}
        return judge_story(Story(self.said.read(), self.heard.read(), state))

    def numbers(self, use: str) -> random.Random:
        """Return lots for one use."""
        return random.Random(f"{self._seed} {use}")  # noqa: S311  # a schedule, no secret

    async def _last_word(self, channel: str) -> str:
        speaker = self.speaker(f"last-{channel}")
        number = 0

        async def is_said() -> bool:
            nonlocal number
            number += 1
            return await speaker.say(channel, "now") == "ok"

        await wait_until(is_said, within=_ASKED_WITHIN_S, what="a last word")
        return f"{speaker.name}-{number}"


@asynccontextmanager
async def _running(work: Sequence[Callable[[], Awaitable[None]]]) -> AsyncGenerator[None]:
    """Run what has no end beside a block; if one of it failed, say so."""
    tasks = [asyncio.ensure_future(one()) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()
