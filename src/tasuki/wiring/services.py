"""Builds the services that requests and tasks use, for one event loop."""

from collections.abc import Callable
from dataclasses import dataclass

from tasuki.activity import ActivityService
from tasuki.chat import ChatService, ChatSettings
from tasuki.core.database import Database
from tasuki.core.datasets import Datasets
from tasuki.core.notices import Notices
from tasuki.core.registry import Registry
from tasuki.exports.cleaner import ExportCleaner
from tasuki.exports.copying import ExportSource
from tasuki.exports.settings import ExportsSettings
from tasuki.exports.spool import SpoolFolder
from tasuki.realtime.broker import Broker
from tasuki.realtime.channels import Namespaces
from tasuki.realtime.publisher import Publisher
from tasuki.realtime.settings import RealtimeSettings
from tasuki.reports import ReportService
from tasuki.reports.rendering import ReportRenderer
from tasuki.reports.service import People
from tasuki.tasks import ArtifactStore, Catalogue, TaskService
from tasuki.tasks.batches import BatchService
from tasuki.tasks.engine.cleaner import Cleaner
from tasuki.tasks.engine.repository import EngineRepository
from tasuki.tasks.intake import Intake
from tasuki.tasks.manager import TaskManager
from tasuki.tasks.replays import ReplayService
from tasuki.tasks.schedules import ScheduleService
from tasuki.tasks.settings import TasksSettings
from tasuki.web.audit import Auditor
from tasuki.web.settings import WebSettings
from tasuki.wiring.declared import Declared
from tasuki.wiring.mailing import add_mail
from tasuki.wiring.notifying import add_notifications
from tasuki.wiring.people import ActivityAuditor, Identity
from tasuki.wiring.settings import Settings


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
    _add_reports(registry)
    _add_exports(registry, settings)
    add_mail(registry, settings)
    for own in ground.declared.provided:
        registry.offer(own.kind, own.make)
    return registry


def _add_reports(registry: Registry) -> None:
    people: People = registry.get(People)
    registry.add(
        ReportService,
        ReportService(
            database=registry.get(Database),
            activity=registry.get(ActivityService),
            people=people,
            renderer=ReportRenderer(),
        ),
    )


def _add_exports(registry: Registry, settings: Settings) -> None:
    exports = registry.add(ExportsSettings, settings.exports)
    folder = SpoolFolder(
        settings.files_folder / "exports",
        max_bytes=exports.max_bytes,
        keep_free=exports.keep_free_bytes,
    )
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
