"""Builds the services that requests and tasks use, for one event loop."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import tasuki.accounts.datasets
import tasuki.accounts.tasks
import tasuki.activity.datasets
import tasuki.chat.channels
import tasuki.chat.datasets
import tasuki.exports.tasks
import tasuki.notifications.channels
import tasuki.notifications.tasks
import tasuki.realtime.nodes
import tasuki.reports.tasks
import tasuki.tasks.datasets
import tasuki.tasks.replays.tasks
import tasuki.tasks.tasks
import tasuki.wiring.channels
from tasuki.activity import ActivityService
from tasuki.chat import ChatService, ChatSettings
from tasuki.core.database import Database
from tasuki.core.datasets import Dataset, Datasets
from tasuki.core.notices import Notices
from tasuki.core.registry import Registry
from tasuki.exports.cleaner import ExportCleaner
from tasuki.exports.copying import ExportSource
from tasuki.exports.settings import ExportsSettings
from tasuki.exports.spool import SpoolFolder
from tasuki.realtime.broker import Broker
from tasuki.realtime.channels import Namespace, Namespaces
from tasuki.realtime.publisher import Publisher
from tasuki.realtime.settings import RealtimeSettings
from tasuki.reports import ReportService
from tasuki.reports.rendering import ReportRenderer
from tasuki.reports.service import People
from tasuki.tasks import ArtifactStore, Catalogue, TaskService
from tasuki.tasks.batches import BatchService
from tasuki.tasks.engine.cleaner import Cleaner
from tasuki.tasks.engine.repository import EngineRepository
from tasuki.tasks.hooks import Hooks
from tasuki.tasks.intake import Intake
from tasuki.tasks.manager import TaskManager
from tasuki.tasks.providing import Provided
from tasuki.tasks.replays import ReplayService
from tasuki.tasks.schedules import Schedule, ScheduleService
from tasuki.tasks.settings import TasksSettings
from tasuki.web.audit import Auditor
from tasuki.web.settings import WebSettings
from tasuki.wiring.notifying import add_notifications
from tasuki.wiring.people import ActivityAuditor, Identity
from tasuki.wiring.settings import BadSetting, Settings

_CAPABILITIES = (
    tasuki.accounts.datasets,
    tasuki.accounts.tasks,
    tasuki.activity.datasets,
    tasuki.chat.channels,
    tasuki.chat.datasets,
    tasuki.exports.tasks,
    tasuki.notifications.channels,
    tasuki.notifications.tasks,
    tasuki.realtime.nodes,
    tasuki.reports.tasks,
    tasuki.tasks.datasets,
    tasuki.tasks.replays.tasks,
    tasuki.tasks.tasks,
    tasuki.wiring.channels,
)
"""The modules whose tasks, schedules, channels and datasets are always there."""


class ModuleNotLoaded(BadSetting):
    """A module of ``TASUKI_TASKS__MODULES`` cannot be imported."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What capabilities and one's own modules declare."""

    catalogue: Catalogue
    schedules: tuple[Schedule, ...]
    provided: tuple[Provided[Any], ...] = ()
    hooks: tuple[Hooks, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    datasets: tuple[Dataset, ...] = ()


def load_declared(modules: tuple[str, ...]) -> Declared:
    """Collect what is declared in the capabilities and in one's own modules.

    Raises:
        ModuleNotLoaded: A module does not exist or fails on import.
    """
    catalogue = Catalogue()
    schedules: list[Schedule] = []
    provided: list[Provided[Any]] = []
    hooks: list[Hooks] = []
    namespaces: list[Namespace] = []
    datasets: list[Dataset] = []
    for module in (*_CAPABILITIES, *(_load(name) for name in modules)):
        catalogue.add_module(module)
        values = list(vars(module).values())
        schedules += [value for value in values if isinstance(value, Schedule)]
        provided += [value for value in values if isinstance(value, Provided)]
        hooks += [value for value in values if isinstance(value, Hooks)]
        namespaces += [value for value in values if isinstance(value, Namespace)]
        datasets += [value for value in values if isinstance(value, Dataset)]
    return Declared(
        catalogue=catalogue,
        schedules=tuple(schedules),
        provided=tuple(provided),
        hooks=_of_all(hooks, catalogue),
        namespaces=tuple(namespaces),
        datasets=tuple(datasets),
    )


def _of_all(hooks: list[Hooks], catalogue: Catalogue) -> tuple[Hooks, ...]:
    """Return those that are no task's own, each once, wherever it was imported."""
    own = {id(task.hooks) for task in catalogue.tasks}
    return tuple({id(one): one for one in hooks if id(one) not in own}.values())


def _load(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as exc:
        msg = f"TASUKI_TASKS__MODULES: cannot load {name!r}: {type(exc).__name__}: {exc}"
        raise ModuleNotLoaded(msg) from exc


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What services stand on in one process, or on one loop of it.

    Attributes:
        broker: Carries publications.
        wake: Called after an order was committed: there is something to ring.
    """

    settings: Settings
    declared: Declared
    database: Database
    notices: Notices
    broker: Broker
    wake: Callable[[], None]


def artifact_store(settings: Settings) -> ArtifactStore:
    """Return the store of artifacts that the settings name."""
    return ArtifactStore(
        settings.files_folder / "artifacts", limit_bytes=settings.tasks.max_artifact_bytes
    )


def engine_repository(settings: Settings, database: Database) -> EngineRepository:
    """Return the engine's statements on a database."""
    return EngineRepository(
        database, lease_s=settings.tasks.lease_s, retention_s=settings.tasks.retention_s
    )


def build_services(ground: Ground, identity: Identity) -> Registry:
    """Return the services, by their class."""
    settings = ground.settings
    registry = _given(ground)
    artifacts = registry.add(ArtifactStore, artifact_store(settings))
    repository = engine_repository(settings, ground.database)
    cleaner = registry.add(Cleaner, Cleaner(repository=repository, artifacts=artifacts))
    tasks = registry.add(
        TaskService,
        TaskService(
            catalogue=ground.declared.catalogue,
            notices=ground.notices,
            settings=settings.tasks,
            wake=ground.wake,
        ),
    )
    registry.add(Intake, Intake(database=ground.database, tasks=tasks))
    registry.add(TaskManager, TaskManager(database=ground.database, tasks=tasks, cleaner=cleaner))
    registry.add(BatchService, BatchService(tasks=tasks, notices=ground.notices))
    registry.add(ReplayService, ReplayService(tasks=tasks))
    schedules = ground.declared.schedules
    registry.add(ScheduleService, ScheduleService(schedules=schedules, tasks=tasks))
    activity = registry.add(ActivityService, ActivityService())
    registry.add(Auditor, ActivityAuditor(activity))
    identity.add_services(registry)
    add_notifications(registry, settings)
    registry.add(ChatService, ChatService(notices=ground.notices, settings=settings.chat))
    people: People = registry.get(People)
    registry.add(
        ReportService,
        ReportService(
            database=ground.database,
            activity=activity,
            people=people,
            renderer=ReportRenderer(),
        ),
    )
    _add_exports(registry, settings)
    for own in ground.declared.provided:
        registry.offer(own.kind, own.make)
    return registry


def _add_exports(registry: Registry, settings: Settings) -> None:
    exports = registry.add(ExportsSettings, settings.exports)
    folder = SpoolFolder(settings.files_folder / "exports", max_bytes=exports.max_bytes)
    registry.add(SpoolFolder, folder)
    registry.add(ExportCleaner, ExportCleaner(folder=folder, settings=exports))
    registry.add(
        ExportSource, ExportSource(settings.need_database_url(), timeout_s=exports.timeout_s)
    )


def _given(ground: Ground) -> Registry:
    """Return a registry of what is there before any service is made."""
    registry = Registry()
    registry.add(Database, ground.database)
    registry.add(Notices, ground.notices)
    registry.add(WebSettings, ground.settings.web)
    registry.add(RealtimeSettings, ground.settings.realtime)
    registry.add(ChatSettings, ground.settings.chat)
    registry.add(TasksSettings, ground.settings.tasks)
    registry.add(Catalogue, ground.declared.catalogue)
    registry.add(Datasets, Datasets(*ground.declared.datasets))
    namespaces = registry.add(Namespaces, Namespaces(*ground.declared.namespaces))
    registry.add(
        Publisher,
        Publisher(namespaces=namespaces, broker=ground.broker, notices=ground.notices),
    )
    return registry
