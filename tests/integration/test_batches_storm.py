"""Batches while many act on them at once: the numbers stay true, and nobody waits for ever."""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from support import jobs
from support.batches import claim, counted, deadlocks, end_of, true_numbers
from support.engine import Bench
from tasuki.core.database import Database
from tasuki.core.errors import Unavailable
from tasuki.tasks.batches import BatchRecord
from tasuki.tasks.engine.repository import Claimed, End
from tasuki.tasks.errors import TaskFinished
from tasuki.tasks.settings import TasksSettings
from tasuki.tasks.states import WAITING, State


@pytest.fixture
async def bench(database: Database, tmp_path: Path) -> Bench:
    """An engine with short times."""
    return Bench(database, tmp_path, TasksSettings(lease_s=2, max_crashes=2))


@pytest.mark.parametrize("seed", range(6))
async def test_the_numbers_are_true_whatever_happens_together(bench: Bench, seed: int) -> None:
    """Many workers, crashes, cancels and late tasks at once: no count is ever lost or doubled.

    Four actors do random things to three batches, on real SQL. The watcher beside them never
    sees a sum that is not the total, nor a number below zero.
    """
    storm = Storm(bench, random.Random(seed))  # noqa: S311  # repeatable, on purpose
    await storm.order(3)

    await storm.rage(actors=4, deeds=60)
    await storm.calm()

    for batch_id, next_id in storm.batches.items():
        record = await bench.batch(batch_id)
        assert counted(record) == await true_numbers(bench, batch_id)
        assert record.finished_at is not None
        kinds = Counter(event.type for event in await bench.events(next_id))
        assert kinds == {"scheduled": 1, "queued": 1}  # let go, and exactly once
    assert storm.wrong == []
    assert await deadlocks(bench) == 0


class Storm:
    """Random deeds on some batches."""

    def __init__(self, bench: Bench, dice: random.Random) -> None:
        self.bench = bench
        self.dice = dice
        self.batches: dict[UUID, UUID] = {}
        self.held: list[Claimed] = []
        self.wrong: list[BatchRecord] = []
        self._is_over = False

    async def order(self, count: int) -> None:
        """Order batches, each with a task that follows it."""
        for _ in range(count):
            expires = self.dice.choice([None, timedelta(seconds=0.1)])
            arguments = [{"text": str(number)} for number in range(self.dice.randint(5, 40))]
            after = jobs.sum_up.having(queue="cleanup")  # so that it stays where it is
            batch_id = await self.bench.order_batch(
                jobs.echo.having(expires=expires), arguments, on_complete=after
            )
            next_id = (await self.bench.batch(batch_id)).on_complete_id
            assert next_id is not None
            self.batches[batch_id] = next_id

    async def rage(self, *, actors: int, deeds: int) -> None:
        """Do many things at the same time."""
        watching = asyncio.create_task(self._watch())
        async with asyncio.timeout(60):
            await asyncio.gather(*(self._act(deeds) for _ in range(actors)))
        self._is_over = True
        await watching

    async def calm(self) -> None:
        """Let everything come to its end."""
        async with asyncio.timeout(60):
            while not await self._is_calm():
                await self._reap()
                for last_chance in (False, True):
                    held = await self._claim(50, last_chance=last_chance)
                    await self.bench.repository.end([end_of(one) for one in held])
        await self.bench.dispatcher._dispatch()

    async def _is_calm(self) -> bool:
        async with self.bench.database.driver() as connection:
            await connection.execute(
                "UPDATE tasks SET lease_until = now() - interval '1 s' WHERE lease_until > now()"
            )
            await connection.execute(
                "UPDATE tasks SET available_at = now() WHERE batch_id IS NOT NULL"
            )
            left = await connection.fetchval(
                "SELECT count(*) FROM tasks WHERE batch_id IS NOT NULL AND finished_at IS NULL"
            )
        return int(left) == 0

    async def _watch(self) -> None:
        while not self._is_over:
            for batch_id in self.batches:
                record = await self.bench.batch(batch_id)
                numbers = counted(record).values()
                if sum(numbers) != record.total or min(numbers) < 0:
                    self.wrong.append(record)

    async def _act(self, deeds: int) -> None:
        for _ in range(deeds):
            deed = self.dice.choices(
                [self._take, self._end, self._crash, self._reap, self._cancel, self._cancel_all],
                [30, 40, 8, 12, 8, 0.5],
            )[0]
            await deed()

    async def _take(self) -> None:
        self.held += await self._claim(self.dice.randint(1, 8))

    async def _claim(self, most: int, *, last_chance: bool = False) -> list[Claimed]:
        return await self.bench.repository.claim(
            worker="w",
            queue="default",
            lane="io",
            names=["test.echo"],
            most=most,
            last_chance=last_chance,
        )

    async def _end(self) -> None:
        self.dice.shuffle(self.held)
        mine = [self.held.pop() for _ in range(min(len(self.held), self.dice.randint(1, 6)))]
        await self.bench.repository.end([self._some_end(one) for one in mine])

    def _some_end(self, claimed: Claimed) -> End:
        state = self.dice.choice(
            [State.SUCCEEDED, State.FAILED, State.TIMED_OUT, State.RETRYING, State.QUEUED]
        )
        is_over = state not in WAITING
        return end_of(
            claimed,
            state,
            pause_s=None if is_over else 0.0,
            given_back=int(state is State.QUEUED),
        )

    async def _crash(self) -> None:
        if self.held:
            lost = self.held.pop(self.dice.randrange(len(self.held)))
            await self.bench.repository.give_up(lost.id, lost.token)
            if self.dice.random() < 0.3:  # it was not dead, and its last words come too late
                self.held.append(lost)

    async def _reap(self) -> None:
        await self.bench.repository.reap()
        await self.bench.repository.expire()

    async def _cancel(self) -> None:
        tasks = await self.bench.tasks_of(self.dice.choice(list(self.batches)))
        try:
            await self.bench.cancel(self.dice.choice(tasks).id)
        except TaskFinished:
            return

    async def _cancel_all(self) -> None:
        try:
            await self.bench.cancel_batch(self.dice.choice(list(self.batches)))
        except TaskFinished:
            return


async def test_the_last_two_ends_at_once_let_one_task_go(bench: Bench) -> None:
    """Whoever comes second sees that it is the last; nobody thinks that of both."""
    for _ in range(20):
        batch_id = await bench.order_batch(
            jobs.echo, [{}, {}], on_complete=jobs.sum_up.having(queue="cleanup")
        )
        one, two = await claim(bench, 2)

        told = await asyncio.gather(
            bench.repository.end([end_of(one)]), bench.repository.end([end_of(two)])
        )

        next_id = (await bench.batch(batch_id)).on_complete_id
        assert {moved[0].next_id for moved in told} == {None, next_id}


async def test_ends_in_opposite_orders_do_not_wait_for_each_other(bench: Bench) -> None:
    """Two workers that end tasks of the same two batches, over and over, both come through."""
    for _ in range(40):
        for name in ("a", "b"):
            await bench.order_batch(jobs.echo, [{"text": name}] * 4)
        held = await claim(bench, 8)
        shuffled = [held[:4], held[4:]]
        async with asyncio.timeout(10):
            await asyncio.gather(
                bench.repository.end([end_of(one) for one in shuffled[0]]),
                bench.repository.end([end_of(one) for one in reversed(shuffled[1])]),
                bench.repository.renew([(one.id, one.token) for one in reversed(held)]),
            )
    assert await deadlocks(bench) == 0


async def test_two_batches_cancelled_together_do_not_wait_for_each_other(bench: Bench) -> None:
    """Cancels, claims and ends meet on the same rows; each goes through."""
    for _ in range(10):
        ids = [await bench.order_batch(jobs.echo, [{}] * 20) for _ in range(2)]
        held = await claim(bench, 10)
        async with asyncio.timeout(10):
            await asyncio.gather(
                *(bench.cancel_batch(batch_id) for batch_id in ids),
                bench.repository.end([end_of(one) for one in reversed(held)]),
                bench.repository.renew([(one.id, one.token) for one in held]),
                claim(bench, 10),
            )
        for batch_id in ids:
            assert counted(await bench.batch(batch_id)) == await true_numbers(bench, batch_id)
    assert await deadlocks(bench) == 0


async def test_a_deadlock_means_that_the_same_may_succeed_later(bench: Bench) -> None:
    """Should two ever wait for each other after all, one is sent back, and tries again."""
    ids = [(await bench.order(jobs.echo)).id for _ in range(2)]
    met = asyncio.Barrier(2)

    async def take(first: UUID, second: UUID) -> None:
        async with bench.database.unit_of_work() as session:
            connection = await session.connection()
            for task_id in (first, second):
                await connection.exec_driver_sql(
                    "SELECT id FROM tasks WHERE id = $1 FOR UPDATE", (task_id,)
                )
                if task_id == first:
                    await met.wait()

    async with asyncio.timeout(20):
        came = await asyncio.gather(take(*ids), take(*ids[::-1]), return_exceptions=True)

    assert {type(one) for one in came} == {type(None), Unavailable}
