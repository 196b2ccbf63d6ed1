"""Builds the services that requests and tasks use, for one event loop."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import tasuki.accounts.tasks
import tasuki.reports.tasks
from tasuki.accounts.tasks import cleanup_expired_sessions
from tasuki.activity import ActivityService
from tasuki.core.database import Database
from tasuki.core.notices import Notices
from tasuki.core.registry import Registry
from tasuki.reports import ReportService
from tasuki.reports.rendering import ReportRenderer
from tasuki.reports.service import People
from tasuki.tasks import ArtifactStore, Catalogue, TaskService
from tasuki.tasks.schedule import Schedule
from tasuki.tasks.settings import TasksSettings
from tasuki.web.audit import Auditor
from tasuki.web.settings import WebSettings
from tasuki.wiring.people import ActivityAuditor, Identity
from tasuki.wiring.settings import BadSetting, Settings

SCHEDULES = (Schedule(task=cleanup_expired_sessions, every=timedelta(hours=1)),)
"""What begins by the clock."""


class ModuleNotLoaded(BadSetting):
    """A module of ``TASUKI_TASKS__MODULES`` cannot be imported."""


def build_catalogue(modules: tuple[str, ...]) -> Catalogue:
    """Return all tasks: those of the capabilities and those of one's own modules.

    Raises:
        ModuleNotLoaded: A module does not exist or fails on import.
    """
    catalogue = Catalogue()
    catalogue.add_module(tasuki.accounts.tasks)
    catalogue.add_module(tasuki.reports.tasks)
    for name in modules:
        try:
            catalogue.add_module(importlib.import_module(name))
        except Exception as exc:
            msg = f"TASUKI_TASKS__MODULES: cannot load {name!r}: {type(exc).__name__}: {exc}"
            raise ModuleNotLoaded(msg) from exc
    return catalogue


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What services stand on in one process, or on one loop of it.

    Attributes:
        wake: Called after an order was committed: there is something to ring.
    """

    settings: Settings
    catalogue: Catalogue
    database: Database
    notices: Notices
    wake: Callable[[], None]


def artifact_store(settings: Settings) -> ArtifactStore:
    """Return the store of artifacts that the settings name."""
    return ArtifactStore(
        settings.files_folder / "artifacts", limit_bytes=settings.tasks.max_artifact_bytes
    )


def build_services(ground: Ground, identity: Identity) -> Registry:
    """Return the services, by their class."""
    settings = ground.settings
    registry = Registry()
    registry.add(Database, ground.database)
    registry.add(Notices, ground.notices)
    registry.add(WebSettings, settings.web)
    registry.add(TasksSettings, settings.tasks)
    registry.add(Catalogue, ground.catalogue)
    registry.add(ArtifactStore, artifact_store(settings))
    registry.add(
        TaskService,
        TaskService(
            catalogue=ground.catalogue,
            notices=ground.notices,
            settings=settings.tasks,
            wake=ground.wake,
        ),
    )
    activity = registry.add(ActivityService, ActivityService())
    registry.add(Auditor, ActivityAuditor(activity))
    identity.add_services(registry)
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
    return registry
