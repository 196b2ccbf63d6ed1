"""Collects what capabilities and one's own modules declare: tasks, channels, datasets and more."""

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import tasuki.accounts.datasets
import tasuki.accounts.tasks
import tasuki.activity.datasets
import tasuki.chat.channels
import tasuki.chat.datasets
import tasuki.exports.tasks
import tasuki.mail.sendings.tasks
import tasuki.mail.tasks
import tasuki.mail.telling.tasks
import tasuki.notifications.channels
import tasuki.notifications.tasks
import tasuki.realtime.nodes
import tasuki.reports.tasks
import tasuki.tasks.datasets
import tasuki.tasks.replays.tasks
import tasuki.tasks.tasks
import tasuki.wiring.channels
from tasuki.core.datasets import Dataset
from tasuki.realtime.channels import Namespace
from tasuki.tasks import Catalogue
from tasuki.tasks.hooks import Hooks
from tasuki.tasks.providing import Provided
from tasuki.tasks.schedules import Schedule
from tasuki.wiring.settings import BadSetting

_CAPABILITIES = (
    tasuki.accounts.datasets,
    tasuki.accounts.tasks,
    tasuki.activity.datasets,
    tasuki.chat.channels,
    tasuki.chat.datasets,
    tasuki.exports.tasks,
    tasuki.mail.sendings.tasks,
    tasuki.mail.tasks,
    tasuki.mail.telling.tasks,
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
