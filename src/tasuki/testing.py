"""Try tasks without servers: no database, no broker, no waiting.

::

    run = await run_task(invoice, order_id=7)
    assert run.state == "succeeded"

The task's own code runs for real, in the test's loop; arguments are checked, retries, timeouts
and cancels decided by the code that does it in a worker. Pauses pass on a `VirtualClock`. What
is not tried here is what the servers do: leases, queues, transactions.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, ParamSpec, TypeVar
from uuid import UUID

from tasuki.core.database import Database
from tasuki.core.ids import new_id
from tasuki.core.registry import Registry
from tasuki.notifications import Note
from tasuki.tasks.artifacts import Artifact, ArtifactStore
from tasuki.tasks.context import Notifier, TaskContext
from tasuki.tasks.declare import Task
from tasuki.tasks.engine.body import Body
from tasuki.tasks.engine.outcome import Outcome, Stop, end_of_failure, result_text
from tasuki.tasks.records import TaskEvent, TaskHandle
from tasuki.tasks.settings import TasksSettings
from tasuki.tasks.states import State

__all__ = ["Rehearsal", "TaskRun", "VirtualClock", "run_task"]

P = ParamSpec("P")
R = TypeVar("R")

_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class VirtualClock:
    """A `Clock` that stands still until somebody moves it: for services, schedules, pauses."""

    def __init__(self, now: datetime = _BEGINNING) -> None:
        self._now = now

    def __call__(self) -> datetime:
        """Return the moment at which it stands, aware, in UTC."""
        return self._now

    def move(self, by: timedelta) -> datetime:
        """Let time pass, and return the new moment.

        Raises:
            ValueError: Time would run backwards.
        """
        if by < timedelta(0):
            msg = f"time does not run backwards, not even by {-by}"
            raise ValueError(msg)
        self._now += by
        return self._now


@dataclass(kw_only=True)
class TaskRun(Generic[R]):
    """What became of a task, and all that its watchers would have been told.

    Attributes:
        attempt: How many attempts there were.
        returned: What the function returned, before it became JSON.
        raised: What the last attempt raised, if it did.
        result: What the record would hold; a large one becomes a file.
        error: As in the record: kind, type, message, retryable.
        artifact: The file that is the result, if there is one.
        files: The bytes of the file that each attempt left, by its name.
        ordered: The children it ordered (`TaskContext.enqueue`): task and arguments. None of
            them is run.
        notified: What it told people (`TaskContext.notify`): the user's id, and what; the same
            to the same user once, as everywhere.
    """

    state: State = State.QUEUED
    attempt: int = 0
    returned: R | None = None
    raised: BaseException | None = None
    result: Any = None
    error: dict[str, Any] | None = None
    artifact: Artifact | None = None
    events: list[TaskEvent] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    ordered: list[tuple[Task[..., Any], dict[str, Any]]] = field(default_factory=list)
    notified: list[tuple[int, Note]] = field(default_factory=list)

    @property
    def progress(self) -> list[dict[str, Any]]:
        """Every progress it told of; real watchers get at most four a second, and the last."""
        return [event.data for event in self.events if event.type == "progress"]

    @property
    def log(self) -> list[str]:
        """The lines it wrote for its watchers."""
        return [event.data["message"] for event in self.events if event.type == "log"]


class Rehearsal:
    """Runs tasks with services of the test's own.

    ::

        rehearsal = Rehearsal(session=FakeSession())
        rehearsal.provide(Mailer, FakeMailer())
        run = await rehearsal.run(send.having(owner_id=1), to="a@example.org")

    Args:
        clock: Moved by the pauses before retries; the events carry its time.
        session: What ``ctx.unit_of_work()`` opens.
        cancel_when: Asked after each event; at the first yes the task is cancelled.
        settings: The limits; default: those of a system where nothing is set.
    """

    def __init__(
        self,
        *,
        clock: VirtualClock | None = None,
        session: Any = None,
        cancel_when: Callable[[TaskEvent], bool] | None = None,
        settings: TasksSettings | None = None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self._cancel_when = cancel_when or (lambda _event: False)
        self._settings = settings or TasksSettings()
        self._services = Registry()
        if session is not None:
            self.provide(Database, _Sessions(session))

    def provide(self, kind: type[Any], service: Any) -> None:
        """Let tasks find a service, or something that stands in for it, with ``ctx.get(kind)``."""
        self._services.add(kind, service)

    async def run(self, task: Task[P, R], /, *args: P.args, **kwargs: P.kwargs) -> TaskRun[R]:
        """Run a task to its end, all attempts included; `Task.having` gives it options.

        A task without a timeout runs for as long as it likes.

        Raises:
            ValidationFailed: An argument is not acceptable.
        """
        given = task.check(task.bind(args, kwargs))
        with TemporaryDirectory(prefix="tasuki-rehearsal-") as folder:
            store = ArtifactStore(Path(folder), limit_bytes=self._settings.max_artifact_bytes)
            self._services.add(ArtifactStore, store)
            play = _Play(
                task,
                given,
                services=self._services,
                clock=self.clock,
                cancel_when=self._cancel_when,
                settings=self._settings,
            )
            self._services.add(Notifier, _Notifier(play.run.notified))
            return await play.to_the_end()


async def run_task(task: Task[P, R], /, *args: P.args, **kwargs: P.kwargs) -> TaskRun[R]:
    """Run a task that needs no services; see `Rehearsal.run`."""
    return await Rehearsal().run(task, *args, **kwargs)


class _Sessions:
    """Stands in for the database: every unit of work is the same session."""

    def __init__(self, session: Any) -> None:
        self._session = session

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncGenerator[Any]:
        yield self._session


class _Report:
    """A `Report` of one attempt that keeps everything.

    Args:
        tell: Takes each event.
    """

    def __init__(self, tell: Callable[[str, dict[str, Any]], None]) -> None:
        self._tell = tell
        self.is_cancelled = False
        self.last_artifact: Artifact | None = None

    def progress(self, progress: dict[str, Any]) -> None:
        self._tell("progress", progress)

    def log(self, level: str, message: str) -> None:
        self._tell("log", {"level": level, "message": message})

    def artifact(self, artifact: Artifact) -> None:
        self.last_artifact = artifact
        shown = artifact.as_json()
        del shown["id"]
        self._tell("artifact", shown)


class _Children:
    """Implements `tasuki.tasks.context.Children`: keeps what is ordered."""

    def __init__(self, ordered: list[tuple[Task[..., Any], dict[str, Any]]]) -> None:
        self._ordered = ordered

    async def add(self, task: Task[..., Any], args: dict[str, Any]) -> TaskHandle:
        self._ordered.append((task, task.check(args)))
        return TaskHandle(id=new_id(), state=State.QUEUED, is_new=True)


class _Notifier:
    """Implements `tasuki.tasks.context.Notifier`: keeps what is told."""

    def __init__(self, notified: list[tuple[int, Note]]) -> None:
        self._notified = notified

    async def notify(self, task_id: UUID, user_id: int, **words: Any) -> None:
        del task_id
        note = Note(**words).checked()
        if (user_id, note) not in self._notified:
            self._notified.append((user_id, note))


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """See `tasuki.tasks.engine.outcome.Attempt`; without a worker there is no crash."""

    id: UUID
    attempt: int
    max_attempts: int
    crash_count: int = 0
    token: UUID = field(default_factory=new_id)


class _Play(Generic[R]):
    """One task from its order to its end."""

    def __init__(
        self,
        task: Task[..., R],
        args: dict[str, Any],
        *,
        services: Registry,
        clock: VirtualClock,
        cancel_when: Callable[[TaskEvent], bool],
        settings: TasksSettings,
    ) -> None:
        self._task = task
        self._args = args
        self._services = services
        self._clock = clock
        self._cancel_when = cancel_when
        self._settings = settings
        self._store = services.get(ArtifactStore)
        self._id: UUID = new_id()
        self._report = _Report(self._tell)
        self._body: Body | None = None
        self._stop: Stop | None = None
        self.run = TaskRun[R]()

    async def to_the_end(self) -> TaskRun[R]:
        """Play all attempts."""
        self._tell("queued", {})
        while not self.run.state.is_terminal:
            await self._attempt()
        return self.run

    async def _attempt(self) -> None:
        run, task = self.run, self._task
        run.attempt += 1
        run.state = State.RUNNING
        self._report = _Report(self._tell)
        self._body, self._stop = None, None
        self._tell("started", {"worker": "rehearsal", "lane": task.options.lane or task.lane})
        context = TaskContext(
            task_id=self._id,
            attempt=run.attempt,
            owner_id=task.options.owner_id,
            services=self._services,
            report=self._report,
            children=_Children(run.ordered),
        )
        outcome = await self._act(context)
        run.raised = outcome.raised
        if outcome.is_success:
            try:
                await self._succeed(outcome.returned)
            except Exception as exc:  # noqa: BLE001  # whatever the result is, the task made it
                outcome = Outcome(raised=exc)
                run.raised = exc
        if not outcome.is_success:
            self._fail(outcome)
        if self._report.last_artifact is not None:
            path = self._store.path(self._report.last_artifact.id)
            run.files[self._report.last_artifact.name] = await asyncio.to_thread(path.read_bytes)

    async def _act(self, context: TaskContext) -> Outcome:
        """Run the body once, within its timeout."""
        task = self._task
        body = Body(task(context, **task.unpack(self._args)), loop=asyncio.get_running_loop())
        self._body = body
        if self._stop is not None:  # cancelled as soon as it had started
            body.cancel()
        timeout_s = task.timeout.total_seconds() if task.timeout else None
        done, _ = await asyncio.wait({body.ended}, timeout=timeout_s)
        if not done:
            self._interrupt(Stop.TIMED_OUT)
        if self._stop is not None:
            await asyncio.wait({body.ended}, timeout=self._settings.cancel_grace_s)
        return Outcome(
            returned=body.returned,
            raised=body.raised,
            stop=self._stop,
            has_ended=body.ended.done(),
            timeout_s=timeout_s,
        )

    async def _succeed(self, returned: Any) -> None:
        run = self.run
        run.artifact = self._report.last_artifact
        if isinstance(returned, Artifact):
            run.artifact = returned
        elif returned is not None:
            text = result_text(returned)
            if len(text) <= self._settings.max_result_bytes:
                run.result = json.loads(text)
            else:
                async with self._store.create("result.json", "application/json") as writer:
                    await writer.write(text.encode())
                run.artifact = writer.artifact
                self._report.artifact(writer.artifact)
        run.returned = returned
        run.error = None
        run.state = State.SUCCEEDED
        self._tell("succeeded", {"result": run.result})

    def _fail(self, outcome: Outcome) -> None:
        run, task = self.run, self._task
        attempt = _Attempt(id=self._id, attempt=run.attempt, max_attempts=task.retry.tries)
        end = end_of_failure(attempt, outcome, task.retry)
        run.state, run.error = State(end.state), end.error
        if end.pause_s is None:
            self._tell(run.state, {"error": end.error})
            return
        run.attempt -= end.given_back
        due = self._clock() + timedelta(seconds=end.pause_s)
        self._tell(run.state, {"error": end.error, "available_at": due.isoformat()})
        self._clock.move(timedelta(seconds=end.pause_s))

    def _interrupt(self, why: Stop) -> None:
        if self._stop is None:
            self._stop = why
            self._report.is_cancelled = True
            if self._body is not None:
                self._body.cancel()

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        run = self.run
        event = TaskEvent(
            task_id=self._id,
            seq=len(run.events) + 1,
            type=kind,
            at=self._clock(),
            attempt=run.attempt,
            data=data,
        )
        run.events.append(event)
        is_open = run.state is State.RUNNING and self._stop is None
        if is_open and self._cancel_when(event):
            run.state = State.CANCELLING
            self._interrupt(Stop.CANCELLED)
            self._tell("cancelling", {})
