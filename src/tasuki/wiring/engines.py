"""Builds the engine of each kind of process: web and scheduler, io worker, cpu child."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from tasuki.core.database import Database
from tasuki.core.notices import MemoryNotices, Notices, Waiter
from tasuki.core.registry import Registry
from tasuki.realtime import RedisNotices
from tasuki.realtime.broker import Broker
from tasuki.realtime.channels import History, Position, Publication, Slice
from tasuki.realtime.redis import RedisBroker
from tasuki.tasks import ArtifactStore, Catalogue
from tasuki.tasks.celery import build_celery_app
from tasuki.tasks.engine.cleaner import Cleaner
from tasuki.tasks.engine.dispatcher import Dispatcher
from tasuki.tasks.engine.emergency import Emergency
from tasuki.tasks.engine.engine import Engine
from tasuki.tasks.engine.hooks import HookCaller
from tasuki.tasks.engine.local import LocalLane, LocalRinger, leave
from tasuki.tasks.engine.pump import Pump
from tasuki.tasks.engine.reaper import Reaper
from tasuki.tasks.engine.repository import EngineRepository
from tasuki.tasks.engine.runner import Run, Runner
from tasuki.tasks.engine.stopsign import StopSign
from tasuki.tasks.observing.pulse import Identity, LoopPulse, worker_name
from tasuki.tasks.observing.repository import ObservingRepository
from tasuki.tasks.ringer import CeleryRinger
from tasuki.tasks.service import DISPATCH_KEY
from tasuki.wiring.declared import Declared
from tasuki.wiring.services import Ground, artifact_store, engine_repository
from tasuki.wiring.settings import Settings

_LONGEST_PUMP_S = {"local": 60.0, "io": 60.0, "cpu": 10.0}  # a bell is held no longer than this
# Connections of a process; ends and leases share statements.
_POOL = {"local": 8, "io": 16, "cpu": 4}

BuildRegistry = Callable[[Ground], Registry]
"""Builds the services for tasks, on their loop."""


def build_dispatching(
    settings: Settings,
    catalogue: Catalogue,
    *,
    database: Database,
    notices: Notices,
    artifacts: ArtifactStore,
    hooks: HookCaller,
) -> Engine:
    """Return an engine that rings and repairs; make it on the loop it will live on."""
    repository = engine_repository(settings, database)
    broker = CeleryRinger(build_celery_app(settings.need_broker_url(), catalogue))
    ringer = LocalRinger(broker, notices)
    dispatcher = Dispatcher(
        repository=repository,
        ringer=ringer,
        notices=notices,
        look_every_s=settings.tasks.look_every_s,
    )
    reaper = Reaper(
        repository=repository,
        dispatcher=dispatcher,
        cleaner=Cleaner(repository=repository, artifacts=artifacts),
        notices=notices,
        settings=settings.tasks,
        hooks=hooks,
    )
    return Engine(dispatcher=dispatcher, reaper=reaper, closing=[hooks.close, ringer.close])


def build_hooks(
    declared: Declared, services: Registry, loop: asyncio.AbstractEventLoop
) -> HookCaller:
    """Return what calls hooks; the services are made for the loop."""
    return HookCaller(
        catalogue=declared.catalogue, hooks=declared.hooks, services=services, loop=loop
    )


def build_local(ground: Ground, services: BuildRegistry) -> LocalLane:
    """Return the local lane of a web process; make it on the loop it will live on.

    It has connections of its own: tasks that hold on to theirs must not keep requests waiting.
    """
    settings, catalogue = ground.settings, ground.declared.catalogue
    database = Database(
        settings.need_database_url(), pool_size=_POOL["local"], name="tasuki local"
    )
    repository = engine_repository(settings, database)
    sign = StopSign()
    own, loop = services(replace(ground, database=database)), asyncio.get_running_loop()
    runner = Runner(
        worker=_worker_name("local"),
        catalogue=catalogue,
        repository=repository,
        notices=ground.notices,
        settings=settings.tasks,
        services=own,
        body_loop=loop,
        on_stuck=leave,
        hooks=build_hooks(ground.declared, own, loop),
    )
    pump = _Pumping(settings, ground.declared, "local", sign).build(
        runner, repository, ground.notices
    )
    return LocalLane(
        engine=Engine(runner=runner, pump=pump, sign=sign, closing=[database.close]),
        pump=pump,
        runner=runner,
        repository=repository,
        notices=ground.notices,
        sign=sign,
        queues=catalogue.queues,
        names=catalogue.names,
        look_every_s=settings.tasks.look_every_s,
        pulse=_local_pulse(settings, database),
    )


def _local_pulse(settings: Settings, database: Database) -> LoopPulse:
    who = Identity(
        lane="local",
        host=socket.gethostname(),
        pid=os.getpid(),
        concurrency=settings.tasks.local_concurrency,
    )
    return LoopPulse(who, ObservingRepository(database), every_s=settings.tasks.lease_s / 3)


@dataclass(frozen=True)
class _Pumping:
    """What the pump of a lane is made of, beside the parts of its process."""

    settings: Settings
    declared: Declared
    lane: str
    sign: StopSign

    def build(self, runner: Runner, repository: EngineRepository, notices: Notices) -> Pump:
        tasks, catalogue = self.settings.tasks, self.declared.catalogue
        room = {"local": tasks.local_concurrency, "io": tasks.io_concurrency, "cpu": 1}
        return Pump(
            runner=runner,
            repository=repository,
            notices=notices,
            lane=self.lane,
            names=catalogue.names,
            room=room[self.lane],
            is_stopping=lambda: self.sign.is_stopping,
            longest_s=_LONGEST_PUMP_S[self.lane],
            alone_s=tasks.lease_s,
        )


def _worker_name(lane: str) -> str:
    host = socket.gethostname()
    if lane == "cpu":  # the worker's name, then the child's own number
        return worker_name(lane, host, pid=os.getppid(), child=os.getpid())
    return worker_name(lane, host, pid=os.getpid())


@dataclass(frozen=True, kw_only=True)
class WorkerEngine:
    """Builds the engine of one process of a worker; `lanes` calls it there.

    Attributes:
        services: Builds what tasks find through `TaskContext.get`.
    """

    settings: Settings
    declared: Declared
    lane: str
    sign: StopSign
    services: BuildRegistry

    async def __call__(
        self, body_loop: asyncio.AbstractEventLoop, on_stuck: Callable[[Run], None]
    ) -> Engine:
        """Build it on the running loop, for tasks whose code runs on ``body_loop``."""
        settings = self.settings
        database = self._connect("engine")
        notices = RedisNotices(settings.need_redis_url())
        await notices.start()
        broker = RedisBroker(settings.need_redis_url(), listening=False)
        repository = engine_repository(settings, database)
        services = self._body_services(database, notices, broker, body_loop)
        hooks = build_hooks(self.declared, services, body_loop)
        dispatching = self._dispatching(database, notices, hooks)
        runner = Runner(
            worker=_worker_name(self.lane),
            catalogue=self.declared.catalogue,
            repository=repository,
            notices=notices,
            settings=settings.tasks,
            services=services,
            body_loop=body_loop,
            on_stuck=on_stuck,
            hooks=hooks,
        )
        pumping = _Pumping(settings, self.declared, self.lane, self.sign)
        return Engine(
            dispatcher=dispatching.dispatcher if dispatching else None,
            reaper=dispatching.reaper if dispatching else None,
            runner=runner,
            pump=pumping.build(runner, repository, notices),
            sign=self.sign,
            emergency=self._emergency().tell,
            closing=[
                *(dispatching.closing if dispatching else []),
                broker.close,
                notices.close,
                database.close,
            ],
        )

    def _dispatching(
        self, database: Database, notices: Notices, hooks: HookCaller
    ) -> Engine | None:
        if self.lane != "io":
            return None
        return build_dispatching(
            self.settings,
            self.declared.catalogue,
            database=database,
            notices=notices,
            artifacts=artifact_store(self.settings),
            hooks=hooks,
        )

    def _body_services(
        self,
        database: Database,
        notices: Notices,
        broker: RedisBroker,
        body_loop: asyncio.AbstractEventLoop,
    ) -> Registry:
        """Return the services of the tasks' own code.

        A pool of connections belongs to one loop; where tasks run on another loop than the
        engine, they get a pool of their own.
        """
        is_same = body_loop is asyncio.get_running_loop()
        home = asyncio.get_running_loop()

        def wake() -> None:
            home.call_soon_threadsafe(notices.send, DISPATCH_KEY)

        return self.services(
            Ground(
                settings=self.settings,
                declared=self.declared,
                database=database if is_same else self._connect("tasks"),
                notices=notices if is_same else ForwardedNotices(notices, home),
                broker=broker if is_same else ForwardedBroker(broker, home),
                wake=wake,
            )
        )

    def _emergency(self) -> Emergency:
        return Emergency(
            connect=lambda: self._connect("emergency"),
            repository=lambda connected: engine_repository(self.settings, connected),
        )

    def _connect(self, part: str) -> Database:
        return Database(
            self.settings.need_database_url(),
            pool_size=_POOL[self.lane],
            name=f"tasuki {self.lane} {part}",
        )


class ForwardedBroker:
    """A broker for code on another thread's loop: it may publish; there is nothing to hear."""

    def __init__(self, broker: Broker, loop: asyncio.AbstractEventLoop) -> None:
        self._broker = broker
        self._loop = loop

    async def publish(
        self, publication: Publication, *, history: History | None, once: str | None = None
    ) -> Position | None:
        """See `Broker.publish`."""
        publishing = self._broker.publish(publication, history=history, once=once)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(publishing, self._loop))

    async def history(self, channel: str, since: Position | None, *, most: int) -> Slice:
        """See `Broker.history`."""
        reading = self._broker.history(channel, since, most=most)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(reading, self._loop))

    async def subscribe(self, channel: str) -> None:
        """See `Broker.subscribe`."""

    def unsubscribe(self, channel: str) -> None:
        """See `Broker.unsubscribe`."""


class ForwardedNotices:
    """Notices for code on another thread's loop: it may send; there is nothing to hear."""

    def __init__(self, notices: Notices, loop: asyncio.AbstractEventLoop) -> None:
        self._notices = notices
        self._loop = loop

    def send(self, *keys: str) -> None:
        """See `Notices.send`."""
        self._loop.call_soon_threadsafe(self._notices.send, *keys)

    def listen(self, *keys: str) -> AbstractContextManager[Waiter]:
        """See `Notices.listen`."""
        return MemoryNotices().listen(*keys)

    def call(self, callback: Callable[[], None], *keys: str) -> Callable[[], None]:
        """See `Notices.call`."""
        return MemoryNotices().call(callback, *keys)

    def wake_all(self) -> None:
        """See `Notices.wake_all`."""
