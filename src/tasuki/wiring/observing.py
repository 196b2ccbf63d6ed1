"""Builds what operators look at in a process that serves requests."""

from tasuki.core.database import Database
from tasuki.core.registry import Registry
from tasuki.tasks import Catalogue
from tasuki.tasks.observing.broker import BrokerDepths
from tasuki.tasks.observing.numbers import TaskNumbers
from tasuki.tasks.observing.overview import QueueOverview
from tasuki.tasks.observing.repository import ObservingRepository
from tasuki.web.streams import OpenStreams
from tasuki.wiring.settings import Settings


def add_observers(registry: Registry, settings: Settings) -> None:
    """Add the services behind ``/metrics`` and ``/api/v1/admin``."""
    registry.add(OpenStreams, OpenStreams())
    numbers = registry.add(TaskNumbers, task_numbers(settings, registry.get(Database)))
    registry.add(
        QueueOverview,
        QueueOverview(
            catalogue=registry.get(Catalogue),
            numbers=numbers,
            depths=BrokerDepths(settings.need_broker_url()),
        ),
    )


def task_numbers(settings: Settings, database: Database) -> TaskNumbers:
    """Return the numbers; a worker is dead once it was silent for the time of a lease."""
    return TaskNumbers(ObservingRepository(database), alive_s=settings.tasks.lease_s)
