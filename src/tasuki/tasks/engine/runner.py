"""Runs claimed tasks to their end: lease, timeout, cancel, outcome.

One runner per process, on the engine's loop. All leases of the process are renewed by one
statement, all ends that come together are written by one.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.core.notices import Notices
from tasuki.core.registry import Registry
from tasuki.tasks.artifacts import Artifact, ArtifactStore
from tasuki.tasks.context import TaskContext
from tasuki.tasks.declare import Catalogue, Task
from tasuki.tasks.engine.body import Body
from tasuki.tasks.engine.children import RunChildren
from tasuki.tasks.engine.ender import Ender
from tasuki.tasks.engine.hooks import HookCaller
from tasuki.tasks.engine.outcome import Outcome, Stop, end_of_failure, is_small, result_text
from tasuki.tasks.engine.reporter import Reporter
from tasuki.tasks.engine.repository import Claimed, End, EngineRepository
from tasuki.tasks.engine.tracing import attempt_told, outcome_told
from tasuki.tasks.errors import Again
from tasuki.tasks.hooks import Ended
from tasuki.tasks.service import CANCEL_KEY, batch_key, owner_keys
from tasuki.tasks.settings import TasksSettings
from tasuki.tasks.states import State

log = get_logger(__name__)

_AT_ONCE = 1_048_576  # characters of a large result; more would hold up the loop


class Run:
    """One claimed task while this process works on it."""

    def __init__(self, claimed: Claimed, *, lease_s: float) -> None:
        self.claimed = claimed
        self.body: Body | None = None
        self.reporter: Reporter | None = None
        self.why: Stop | None = None
        self.is_ending = False
        self.ended: Ended | None = None
        self.valid_until = time.monotonic() + lease_s
        # Done when the code has ended, or is to be interrupted.
        self._news: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def stop(self, why: Stop) -> None:
        """Interrupt the task's code; the first reason counts, but a lost lease always does."""
        if self.is_ending or (self.why is not None and why is not Stop.LOST):
            return
        self.why = why
        if self.reporter is not None:
            self.reporter.is_cancelled = True
        if self.body is not None:
            self.body.cancel()
        self._tell()

    async def until_ended(self, body: Body, *, timeout_s: float | None, grace_s: float) -> bool:
        """Wait for the code; interrupt it when its time is over.

        Returns:
            False when it was interrupted and did not end within its grace.
        """
        body.ended.add_done_callback(lambda _: self._tell())
        if timeout_s is None:
            await self._news
        else:
            await asyncio.wait({self._news}, timeout=timeout_s)
            if not self._news.done():
                self.stop(Stop.TIMED_OUT)
        if not body.ended.done():
            await asyncio.wait({body.ended}, timeout=grace_s)
        return body.ended.done()

    def _tell(self) -> None:
        if not self._news.done():
            self._news.set_result(None)


class Runner:
    """Holds this process's runs.

    Args:
        worker: Names this process in leases and events.
        services: What `TaskContext.get` finds; made for ``body_loop``.
        body_loop: Where tasks' own code runs.
        on_stuck: Called after a task that did not heed its interruption was ended in the
            database: the last means against code that will not stop.
    """

    def __init__(
        self,
        *,
        worker: str,
        catalogue: Catalogue,
        repository: EngineRepository,
        notices: Notices,
        settings: TasksSettings,
        services: Registry,
        body_loop: asyncio.AbstractEventLoop,
        on_stuck: Callable[[Run], None],
        hooks: HookCaller | None = None,
    ) -> None:
        self.worker = worker
        self._catalogue = catalogue
        self._repository = repository
        self._notices = notices
        self._settings = settings
        self._services = services
        self._body_loop = body_loop
        self._on_stuck = on_stuck
        self._hooks = hooks
        self._ender = Ender(repository, notices)
        self._runs: dict[UUID, Run] = {}

    @property
    def runs(self) -> list[Run]:
        """What this process works on now."""
        return list(self._runs.values())

    async def run(self, claimed: Claimed) -> None:
        """Work on a claimed task until it ended, or is not ours any more."""
        run = Run(claimed, lease_s=self._settings.lease_s)
        self._runs[claimed.id] = run
        started = owner_keys([claimed.owner_id])
        if claimed.batch_id is not None:
            started.add(batch_key(claimed.batch_id))
        self._notices.send(*started)
        try:
            with attempt_told(claimed, worker=self.worker):
                await self._attempt(run)
        finally:
            self._runs.pop(claimed.id, None)
        if run.ended is not None and self._hooks is not None:
            await self._hooks.call(run.ended)

    async def beat_for_ever(self) -> None:
        """Renew the leases every third of their time, and at once when somebody cancelled."""
        pause_s = self._settings.lease_s / 3
        with self._notices.listen(CANCEL_KEY) as waiter:
            while True:
                is_well = await self._beat()
                # After a failure there is less than a lease left to try again.
                await waiter.wait(within_s=pause_s if is_well else min(1.0, pause_s / 3))

    def release_all(self) -> None:
        """Interrupt everything because this worker stops; the tasks begin again elsewhere."""
        for run in self.runs:
            run.stop(Stop.RELEASED)

    async def _attempt(self, run: Run) -> None:
        claimed = run.claimed
        task = self._catalogue.find(claimed.name)
        if task is None:  # the claim names only what we know
            return
        reporter = Reporter(
            claimed,
            repository=self._repository,
            notices=self._notices,
            on_lost=lambda: run.stop(Stop.LOST),
        )
        context = TaskContext(
            task_id=claimed.id,
            attempt=claimed.attempt,
            owner_id=claimed.owner_id,
            services=self._services,
            report=reporter,
            children=self._children(run),
        )
        run.reporter = reporter
        run.body = Body(_call(task, context, claimed.args), loop=self._body_loop)
        try:
            has_ended = await run.until_ended(
                run.body, timeout_s=claimed.timeout_s, grace_s=self._settings.cancel_grace_s
            )
        finally:
            await reporter.close()
        outcome = Outcome(
            returned=run.body.returned,
            raised=run.body.raised,
            stop=run.why,
            has_ended=has_ended,
            timeout_s=claimed.timeout_s,
        )
        await self._finish(run, outcome, task)
        if not has_ended:
            self._on_stuck(run)

    def _children(self, run: Run) -> RunChildren:
        loop = asyncio.get_running_loop()
        return RunChildren(
            run.claimed,
            services=self._services,
            on_refused=lambda why: loop.call_soon_threadsafe(run.stop, why),
        )

    async def _finish(self, run: Run, outcome: Outcome, task: Task[..., Any]) -> None:
        if run.why is Stop.LOST:
            log.warning("lease_lost", task_id=str(run.claimed.id), task=run.claimed.name)
            outcome_told(None)
            return
        _log_failure(run.claimed, outcome)
        end = None
        if outcome.is_success:
            try:
                end = await self._success(run, outcome.returned)
            except Exception as exc:  # noqa: BLE001  # whatever the result is, the task made it
                outcome = Outcome(raised=exc)
        if end is None:
            end = end_of_failure(run.claimed, outcome, task.retry)
        run.is_ending = True
        outcome_told(end)
        if run.reporter is not None:
            await self._persist(run, run.reporter.write)
        await self._persist(run, lambda: self._write_end(run, end))

    async def _write_end(self, run: Run, end: End) -> None:
        moved = await self._ender.end(end)
        if moved is None:
            log.warning("lease_lost", task_id=str(end.id), refused=str(end.state))
        elif self._hooks is not None and self._hooks.find(run.claimed.name, moved.state):
            run.ended = _ended(run.claimed, end, moved.state)

    async def _success(self, run: Run, returned: Any) -> End:
        """Return the successful end; a large result becomes a file."""
        reporter = run.reporter
        artifact = reporter.last_artifact if reporter is not None else None
        result: Any = None
        if isinstance(returned, Artifact):
            artifact = returned
        elif returned is not None:
            text = (
                result_text(returned)
                if is_small(returned)
                else await asyncio.to_thread(result_text, returned)
            )
            if len(text) <= self._settings.max_result_bytes:
                result = text
            else:
                artifact = await self._store(run, text)
        return End(
            id=run.claimed.id,
            token=run.claimed.token,
            state=State.SUCCEEDED,
            result_text=result,
            artifact_id=artifact.id if artifact else None,
        )

    async def _store(self, run: Run, text: str) -> Artifact:
        store = self._services.get(ArtifactStore)
        async with store.create("result.json", "application/json") as writer:
            for start in range(0, len(text), _AT_ONCE):
                await writer.write(text[start : start + _AT_ONCE].encode())
        if run.reporter is not None:
            run.reporter.artifact(writer.artifact)
        return writer.artifact

    async def _persist(self, run: Run, write: Callable[[], Awaitable[Any]]) -> None:
        """Write, and try again while the database is away and the lease still ours."""
        while True:
            try:
                await write()
            except Unavailable:
                if time.monotonic() > run.valid_until:
                    log.warning("end_not_written", task_id=str(run.claimed.id))
                    return
                await asyncio.sleep(random.uniform(0.1, 0.5))  # noqa: S311  # spreads load
            else:
                return

    async def _beat(self) -> bool:
        """Renew all leases.

        Returns:
            Whether the database answered.
        """
        runs = self.runs
        if not runs:
            return True
        sent = time.monotonic()
        lease_s = self._settings.lease_s
        try:
            async with asyncio.timeout(lease_s / 3):
                kept = await self._repository.renew(
                    [(run.claimed.id, run.claimed.token) for run in runs]
                )
        except (Unavailable, TimeoutError):
            for run in runs:
                # A sixth of the lease is left for the interruption to take effect.
                if time.monotonic() + lease_s / 6 > run.valid_until:
                    run.stop(Stop.LOST)
            return False
        for run in runs:
            is_cancelled = kept.get(run.claimed.id)
            if is_cancelled is None:
                run.stop(Stop.LOST)
                continue
            run.valid_until = sent + lease_s
            if is_cancelled:
                run.stop(Stop.CANCELLED)
        return True


async def _call(task: Task[..., Any], context: TaskContext, args: dict[str, Any]) -> Any:
    return await task.run(context, **task.unpack(args))


def _ended(claimed: Claimed, end: End, state: State) -> Ended:
    """Return what hooks are told; the state is the one that was written."""
    return Ended(
        task_id=claimed.id,
        name=claimed.name,
        owner_id=claimed.owner_id,
        args=claimed.args,
        attempt=claimed.attempt,
        state=state,
        result=json.loads(end.result_text) if end.result_text is not None else None,
        error=end.error,
    )


def _log_failure(claimed: Claimed, outcome: Outcome) -> None:
    if outcome.is_success or outcome.stop in {Stop.CANCELLED, Stop.RELEASED}:
        return
    if isinstance(outcome.raised, Again):
        return
    log.warning(
        "attempt_failed",
        task_id=str(claimed.id),
        task=claimed.name,
        attempt=claimed.attempt,
        stop=outcome.stop and outcome.stop.value,
        exc_info=outcome.raised,
    )
