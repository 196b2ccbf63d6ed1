"""Runs a worker: Celery around a lane around an engine."""

import os
import socket

from tasuki.core.database import Database
from tasuki.core.registry import Registry
from tasuki.tasks.celery import WorkerOptions, build_celery_app, run_worker
from tasuki.tasks.engine.lanes import CpuLane, IoLane, Lane
from tasuki.tasks.engine.stopsign import StopSign
from tasuki.tasks.observing.pulse import Identity, Pulse
from tasuki.wiring.declared import load_declared
from tasuki.wiring.engines import WorkerEngine
from tasuki.wiring.people import OwnAccounts
from tasuki.wiring.services import Ground, build_services
from tasuki.wiring.settings import Settings

# A loop that does not answer for this part of a lease is blocked: the process must end
# itself before the leases of the innocent do.
_BLOCKED_AFTER = 0.6


def run(settings: Settings, options: WorkerOptions) -> int:
    """Run a worker until it is told to stop, and return its exit code."""
    if options.lane == "io" and options.concurrency is not None:
        tasks = settings.tasks.model_copy(update={"io_concurrency": options.concurrency})
        settings = settings.model_copy(update={"tasks": tasks})
    declared = load_declared(settings.tasks.modules)
    catalogue = declared.catalogue
    sign = StopSign()

    def services(ground: Ground) -> Registry:
        return build_services(ground, OwnAccounts(settings, are_all=False))

    engine = WorkerEngine(
        settings=settings,
        declared=declared,
        lane=options.lane,
        sign=sign,
        services=services,
    )

    def start_lane() -> Lane:
        if options.lane == "io":
            return IoLane(engine, watch_s=settings.tasks.lease_s * _BLOCKED_AFTER)
        return CpuLane(engine)

    app = build_celery_app(
        settings.need_broker_url(),
        catalogue,
        concurrency=options.concurrency or settings.tasks.io_concurrency,
        is_worker=True,
    )
    with _pulse(settings, options).beating():
        return run_worker(app, catalogue, options, sign=sign, start_lane=start_lane)


def _pulse(settings: Settings, options: WorkerOptions) -> Pulse:
    io_room = settings.tasks.io_concurrency
    room = io_room if options.lane == "io" else options.concurrency or os.cpu_count() or 1
    return Pulse(
        Identity(lane=options.lane, host=socket.gethostname(), pid=os.getpid(), concurrency=room),
        connect=lambda: Database(
            settings.need_database_url(), pool_size=1, name=f"tasuki {options.lane} pulse"
        ),
        every_s=settings.tasks.lease_s / 3,
    )
