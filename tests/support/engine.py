"""The engine inside the test's own process: real SQL, no broker, a bell rung by hand."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from support import jobs
from tasuki.core.database import Database
from tasuki.core.notices import MemoryNotices
from tasuki.core.registry import Registry
from tasuki.tasks import ArtifactStore, Catalogue, Task, TaskRecord, TaskService
from tasuki.tasks.batches import BatchRecord, BatchService
from tasuki.tasks.engine.cleaner import Cleaner
from tasuki.tasks.engine.dispatcher import BrokerUnavailable, Dispatcher
from tasuki.tasks.engine.engine import Engine
from tasuki.tasks.engine.hooks import HookCaller
from tasuki.tasks.engine.pump import Pump
from tasuki.tasks.engine.reaper import Reaper
from tasuki.tasks.engine.repository import Bell, EngineRepository
from tasuki.tasks.engine.runner import Run, Runner
from tasuki.tasks.hooks import Hooks
from tasuki.tasks.records import TaskEvent, TaskFilter, TaskHandle
from tasuki.tasks.replays import ReplayService
from tasuki.tasks.settings import TasksSettings


@dataclass
class RecordingRinger:
    """Keeps the bells it was handed; refuses them while it is told to."""

    bells: list[Bell] = field(default_factory=list)
    is_away: bool = False

    async def ring(self, bells: Iterable[Bell]) -> None:
        """See `Ringer.ring`."""
        if self.is_away:
            raise BrokerUnavailable("away")
        self.bells += bells

    async def close(self) -> None:
        """See `Ringer.close`."""


@dataclass
class Bench:
    """An engine to try things on; must be made on a running loop."""

    database: Database
    folder: Path
    settings: TasksSettings
    catalogue: Catalogue = field(default_factory=Catalogue)
    ringer: RecordingRinger = field(default_factory=RecordingRinger)
    stuck: list[Run] = field(default_factory=list)
    is_stopping: bool = False
    hooks: tuple[Hooks, ...] = ()

    def __post_init__(self) -> None:
        """Put the parts together."""
        self.catalogue.add_module(jobs)
        self.notices = MemoryNotices()
        self.artifacts = ArtifactStore(self.folder, limit_bytes=self.settings.max_artifact_bytes)
        self.repository = EngineRepository(
            self.database,
            lease_s=self.settings.lease_s,
            retention_s=self.settings.retention_s,
        )
        self.dispatcher = Dispatcher(
            repository=self.repository,
            ringer=self.ringer,
            notices=self.notices,
            look_every_s=self.settings.look_every_s,
        )
        self.cleaner = Cleaner(repository=self.repository, artifacts=self.artifacts)
        services = Registry()
        self.hook_caller = HookCaller(
            catalogue=self.catalogue,
            hooks=self.hooks,
            services=services,
            loop=asyncio.get_running_loop(),
        )
        self.reaper = Reaper(
            repository=self.repository,
            dispatcher=self.dispatcher,
            cleaner=self.cleaner,
            notices=self.notices,
            settings=self.settings,
            hooks=self.hook_caller,
        )
        self.service = TaskService(
            catalogue=self.catalogue,
            notices=self.notices,
            settings=self.settings,
            wake=self.dispatcher.wake,
        )
        self.batches = BatchService(tasks=self.service, notices=self.notices)
        self.replays = ReplayService(tasks=self.service)
        services.add(ReplayService, self.replays)
        services.add(TaskService, self.service)
        services.add(Database, self.database)
        services.add(ArtifactStore, self.artifacts)
        self.runner = Runner(
            worker="bench",
            catalogue=self.catalogue,
            repository=self.repository,
            notices=self.notices,
            settings=self.settings,
            services=services,
            body_loop=asyncio.get_running_loop(),
            on_stuck=self.stuck.append,
            hooks=self.hook_caller,
        )
        self.engine = Engine(dispatcher=self.dispatcher, reaper=self.reaper, runner=self.runner)

    def pump(self, *, lane: str = "io", room: int = 10) -> Pump:
        """Return a pump for a lane."""
        return Pump(
            runner=self.runner,
            repository=self.repository,
            notices=self.notices,
            lane=lane,
            names=self.catalogue.names,
            room=room,
            is_stopping=lambda: self.is_stopping,
            longest_s=60,
            alone_s=self.settings.lease_s,
        )

    async def order(self, task: Task[..., Any], **args: Any) -> TaskHandle:
        """Order a task in a transaction of its own."""
        async with self.database.unit_of_work() as session:
            return await self.service.enqueue(session, task, args)

    async def order_batch(
        self, task: Task[..., Any], arguments: Sequence[dict[str, Any]], **how: Any
    ) -> UUID:
        """Order a batch in a transaction of its own."""
        async with self.database.unit_of_work() as session:
            return (await self.batches.enqueue(session, task, arguments, **how)).id

    async def batch(self, batch_id: UUID) -> BatchRecord:
        """Return a batch's record."""
        async with self.database.unit_of_work() as session:
            return await self.batches.get(session, batch_id, owner_id=None)

    async def cancel_batch(self, batch_id: UUID) -> None:
        """Ask a batch to stop."""
        async with self.database.unit_of_work() as session:
            await self.batches.cancel(session, batch_id, owner_id=None)

    async def tasks_of(self, batch_id: UUID) -> list[TaskRecord]:
        """Return the tasks of a batch, in the order of their ids."""
        async with self.database.unit_of_work() as session:
            wanted = TaskFilter(batch_id=batch_id)
            found = await self.service.page(session, wanted, before=None, limit=100_000)
        return sorted(found, key=lambda record: record.id)

    async def record(self, task_id: UUID) -> TaskRecord:
        """Return a task's record."""
        async with self.database.unit_of_work() as session:
            return await self.service.get(session, task_id, owner_id=None)

    async def cancel(self, task_id: UUID) -> None:
        """Ask a task to stop."""
        async with self.database.unit_of_work() as session:
            await self.service.cancel(session, task_id, owner_id=None)

    async def events(self, task_id: UUID) -> list[TaskEvent]:
        """Return all events of a task."""
        async with self.database.unit_of_work() as session:
            return await self.service.events_after(session, task_id, 0, limit=5_000)

    async def run_due(self, queue: str = "default", *, lane: str = "io") -> int:
        """Answer one bell."""
        return await self.pump(lane=lane).answer(queue)

    async def engine_for_ever(self) -> None:
        """Dispatch and reap until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.dispatcher.run_for_ever())
            group.create_task(self.reaper.run_for_ever())
