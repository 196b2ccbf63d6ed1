"""Tasuki in one object: what an application, a script or a door of our own holds."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload
from uuid import UUID

from pydantic import BaseModel

from tasuki.activity import ActivityService
from tasuki.core.database import Database, Session
from tasuki.core.notices import Notices
from tasuki.core.registry import Registry
from tasuki.realtime import RedisNotices
from tasuki.realtime.connections import ConnectionManager
from tasuki.realtime.publisher import Publisher
from tasuki.realtime.redis import RedisBroker
from tasuki.tasks import ArtifactStore, Task, TaskHandle, TaskRecord, TaskService
from tasuki.tasks.batches import BatchHandle, BatchService
from tasuki.tasks.declare import OPTION_NAMES
from tasuki.tasks.engine.engine import Engine
from tasuki.tasks.engine.local import LocalLane
from tasuki.tasks.intake import Intake
from tasuki.tasks.manager import TaskManager
from tasuki.tasks.providing import Provided
from tasuki.tasks.schedules import Scheduler, ScheduleService
from tasuki.tasks.service import DISPATCH_KEY
from tasuki.web.draining import Draining
from tasuki.wiring.declared import load_declared
from tasuki.wiring.engines import build_dispatching, build_hooks, build_local
from tasuki.wiring.exporting import exporting
from tasuki.wiring.observing import add_observers
from tasuki.wiring.people import Identity, OwnAccounts
from tasuki.wiring.realtime import live, relaying
from tasuki.wiring.services import Ground, build_services
from tasuki.wiring.settings import Settings, load_settings

if TYPE_CHECKING:
    from fastapi import FastAPI

P = ParamSpec("P")
R = TypeVar("R")
Own = TypeVar("Own")


_POOL = 20
_NOT_RUNNING = "Tasuki is not running here: start the application, or use `tasuki.running()`"


class NotRunning(RuntimeError):
    """Tasuki is used before it was started, or after it was closed."""


class Tasuki:
    """Background work that people can watch.

    ::

        tasuki = Tasuki()
        tasuki.install(app, current_user=my_dependency)

    In a script, ``async with tasuki.running():`` instead of an application.

    Args:
        settings: Default: from the environment and ``tasuki.toml``.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self.declared = load_declared(self.settings.tasks.modules)
        self.catalogue = self.declared.catalogue
        self.draining = Draining()
        self._registry: Registry | None = None
        self._engine: Engine | None = None
        self._local: LocalLane | None = None
        self._broker: RedisBroker | None = None
        self._connections: ConnectionManager | None = None

    def register(self, *tasks: Task[..., Any]) -> None:
        """Make tasks known here. The workers know those of ``TASUKI_TASKS__MODULES``."""
        self.catalogue.add(*tasks)

    def provide(self, kind: type[Own], make: Callable[[], Own]) -> None:
        """Let tasks of this process find a service of one's own; call it before the start.

        Workers find those that a module of ``TASUKI_TASKS__MODULES`` declares as `Provided`,
        and so does this process.

        Args:
            make: Called once, when a task first asks with ``ctx.get(kind)``.
        """
        own = (*self.declared.provided, Provided(kind, make))
        self.declared = replace(self.declared, provided=own)

    def install(self, app: "FastAPI", *, current_user: Callable[..., Any] | None = None) -> None:
        """Add Tasuki's routes under ``/api/v1`` and its lifespan to an application.

        Args:
            app: The application; call this once, before it starts.
            current_user: The application's own dependency for the signed-in user. It returns
                an object with an integer ``id`` (see `Principal.of`), or raises. Without it
                Tasuki brings its own accounts.
        """
        # Workers and the command line hold this object too, and need no web framework.
        from tasuki.wiring.installing import install  # noqa: PLC0415  # see above

        install(app, self.settings, running=self.serving, current_user=current_user)

    @contextlib.asynccontextmanager
    async def connected(self, identity: Identity | None = None) -> AsyncGenerator["Tasuki"]:
        """Open connections for a block: enough to order, look and cancel.

        What is ordered is rung for by the processes that run for good.
        """
        settings = self.settings
        database = Database(settings.need_database_url(), pool_size=_POOL, name="tasuki")
        notices = RedisNotices(settings.need_redis_url())
        await notices.start()
        # Who only orders and looks publishes; web processes listen as well, see `serving`.
        broker = self._broker = RedisBroker(settings.need_redis_url())
        ground = self._ground(database, notices)
        self._registry = build_services(ground, identity or OwnAccounts(settings, are_all=False))
        self._registry.add(Draining, self.draining)
        add_observers(self._registry, settings)
        try:
            yield self
        finally:
            self._registry = None
            await broker.close()
            await notices.close()
            await database.close()

    @contextlib.asynccontextmanager
    async def running(self, identity: Identity | None = None) -> AsyncGenerator["Tasuki"]:
        """Be connected, and ring and repair besides, for as long as the block lasts."""
        async with self.connected(identity):
            engine = build_dispatching(
                self.settings,
                self.catalogue,
                database=self.services.get(Database),
                notices=self.services.get(Notices),
                artifacts=self.services.get(ArtifactStore),
                hooks=build_hooks(self.declared, self.services, asyncio.get_running_loop()),
            )
            engine.start()
            self._engine = engine
            try:
                async with relaying(self.services, self.broker):
                    yield self
            finally:
                self._engine = None
                await engine.close()

    @contextlib.asynccontextmanager
    async def serving(self, identity: Identity | None = None) -> AsyncGenerator["Tasuki"]:
        """Be running, and work on tasks of the lane ``local`` besides, as web processes do.

        At the end of the block local tasks get the drain time; then they are interrupted and
        begin again in another web process.
        """
        users = identity or OwnAccounts(self.settings)
        async with self.running(users):
            ground = self._ground(self.services.get(Database), self.services.get(Notices))
            self._local = build_local(ground, lambda own: build_services(own, users))
            self._local.start()
            try:
                async with (
                    exporting(self.services),
                    live(self.services, self.broker) as self._connections,
                ):
                    yield self
            finally:
                self._connections = None
                await self._local.close(within_s=self.settings.web.drain_s)
                self._local = None

    def _ground(self, database: Database, notices: Notices) -> Ground:
        return Ground(
            settings=self.settings,
            declared=self.declared,
            database=database,
            notices=notices,
            broker=self.broker,
            wake=self._wake,
        )

    def _wake(self) -> None:
        """Have the bell rung for what was just committed: here, or else by whoever can."""
        if self._engine is not None:
            self._engine.wake()
        else:
            self.services.get(Notices).send(DISPATCH_KEY)

    @property
    def services(self) -> Registry:
        """The services of this process.

        Raises:
            NotRunning: There are none yet, or no longer.
        """
        if self._registry is None:
            raise NotRunning(_NOT_RUNNING)
        return self._registry

    @property
    def broker(self) -> RedisBroker:
        """What carries publications.

        Raises:
            NotRunning: As `services`.
        """
        if self._broker is None:
            raise NotRunning(_NOT_RUNNING)
        return self._broker

    async def publish(self, channel: str, event: BaseModel) -> None:
        """Publish an event in a channel; see `Publisher`, which also publishes in transactions.

        Raises:
            UnknownChannel: There is no such channel.
            TypeError: It is none of the channel's events.
            Unavailable: The broker does not answer.
        """
        await self.services.get(Publisher).publish(channel, event)

    async def publish_in(self, session: Session, channel: str, event: BaseModel) -> None:
        """Publish an event together with the caller's own transaction; errors as of `publish`.

        It stands in a table until the broker has it; nothing is published if nothing is committed.
        """
        await self.services.get(Publisher).publish_in(session, channel, event)

    @property
    def manager(self) -> TaskManager:
        """What starts short work in web processes, by names of one's own.

        Raises:
            NotRunning: As `services`.
        """
        return self.services.get(TaskManager)

    @property
    def failed_dispatches(self) -> int:
        """How often in a row the broker could not be reached; 0 when all is well."""
        return self._engine.failed_dispatches if self._engine is not None else 0

    @property
    def failed_dispatches_ever(self) -> int:
        """How often that was, since this process began."""
        return self._engine.failed_dispatches_ever if self._engine is not None else 0

    @overload
    async def enqueue(
        self, session: Session, task: Task[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> TaskHandle: ...
    @overload
    async def enqueue(
        self,
        session: Session,
        task: Task[..., R],
        /,
        *args: Any,
        idempotency_key: str,
        **kwargs: Any,
    ) -> TaskHandle: ...
    async def enqueue(
        self, session: Session, task: Task[..., Any], /, *args: Any, **kwargs: Any
    ) -> TaskHandle:
        """Order a task in the caller's own transaction; it starts after the commit.

        Options stand beside the arguments (``idempotency_key="order-7"``), or in
        `Task.having`, which keeps the arguments typed.

        Args:
            session: The caller's SQLAlchemy session, on the database that Tasuki uses.
            task: What to run.

        Raises:
            ValidationFailed: An argument or option is not acceptable.
            IdempotencyConflict: The key stands for other arguments.
            TaskAlreadyRunning: An unfinished task holds the unique key.
        """
        task, named = _order(task, args, kwargs)
        return await self.services.get(TaskService).enqueue(session, task, named)

    @overload
    async def submit(
        self, task: Task[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> TaskHandle: ...
    @overload
    async def submit(
        self, task: Task[..., R], /, *args: Any, idempotency_key: str, **kwargs: Any
    ) -> TaskHandle: ...
    async def submit(self, task: Task[..., Any], /, *args: Any, **kwargs: Any) -> TaskHandle:
        """Order a task where there is no transaction it belongs to.

        It is committed when this returns. What others submit at the same moment is committed
        together with it, so this is faster than `enqueue` in a transaction of its own. Options
        and errors are those of `enqueue`.
        """
        task, named = _order(task, args, kwargs)
        return await self.services.get(Intake).submit(task, named)

    async def enqueue_batch(
        self,
        session: Session,
        task: Task[..., Any],
        arguments: Sequence[dict[str, Any]],
        *,
        on_complete: Task[..., Any] | None = None,
        on_complete_args: dict[str, Any] | None = None,
    ) -> BatchHandle:
        """Order a task once for each set of arguments, in the caller's own transaction.

        Either all are ordered or none, and one row counts them. Options are those of
        `Task.having`; what else may be said, and the errors, are in `BatchService.enqueue`.

        Args:
            session: The caller's SQLAlchemy session, on the database that Tasuki uses.
            arguments: 1 to 100,000 sets, by name.
            on_complete: A task that begins once all have ended, however they did.
            on_complete_args: Its arguments; a parameter ``batch_id`` is filled in.
        """
        return await self.services.get(BatchService).enqueue(
            session,
            task,
            arguments,
            on_complete=on_complete,
            on_complete_args=on_complete_args,
        )

    async def cancel(self, task_id: UUID) -> None:
        """Ask a task to stop.

        Raises:
            TaskNotFound: There is no such task.
            TaskFinished: It has ended already.
        """
        async with self.services.get(Database).unit_of_work() as session:
            await self.services.get(TaskService).cancel(session, task_id, owner_id=None)

    async def status(self, task_id: UUID) -> TaskRecord:
        """Return a task's record, true at this moment.

        Raises:
            TaskNotFound: There is no such task.
        """
        async with self.services.get(Database).unit_of_work() as session:
            return await self.services.get(TaskService).get(session, task_id, owner_id=None)

    async def record_activity(
        self, session: Session, *, user_id: int, kind: str, data: dict[str, Any] | None = None
    ) -> None:
        """Write down a deed of a user, in the caller's own transaction.

        Args:
            kind: ``login``, ``post``, ``comment`` or a word of one's own.
        """
        await self.services.get(ActivityService).record(
            session, user_id=user_id, kind=kind, data=data
        )

    def scheduler(self) -> Scheduler:
        """Return what orders tasks by the clock; any number of processes may run one."""
        return Scheduler(
            database=self.services.get(Database), schedules=self.services.get(ScheduleService)
        )

    def leave(self) -> None:
        """Let readiness send requests elsewhere, and leave waiting local tasks to others."""
        self.draining.leave()
        if self._local is not None:
            self._local.stop()

    async def stop_streams(self) -> None:
        """End open streams and sockets; their clients come back to another process.

        Local tasks that wait are left to other processes too; those that run go on.
        """
        self.draining.begin()
        if self._local is not None:
            self._local.stop()
        if self._registry is not None:
            self._registry.get(Notices).wake_all()
        if self._connections is not None:
            await self._connections.drain(within_s=self.settings.web.drain_s)


def _order(
    task: Task[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Task[..., Any], dict[str, Any]]:
    """Return the task with the options among the keywords, and the other arguments by name."""
    options = {name: kwargs[name] for name in OPTION_NAMES & kwargs.keys()}
    others = {name: value for name, value in kwargs.items() if name not in options}
    if options:
        task = task.having(**{**vars(task.options), **options})
    return task, task.bind(args, others)
