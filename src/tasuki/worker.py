"""The Celery process: answers bells in one lane.

``celery -A tasuki.worker:celery_app inspect …`` and Flower find the application here.
"""

from typing import Any

from tasuki.tasks.celery import WorkerOptions, build_celery_app, run_worker
from tasuki.tasks.engine.lanes import CpuLane, IoLane
from tasuki.tasks.engine.lanes import Lane as RunningLane
from tasuki.tasks.engine.stopsign import StopSign
from tasuki.wiring import Settings, load_settings
from tasuki.wiring.engines import WorkerEngine
from tasuki.wiring.people import OwnAccounts
from tasuki.wiring.services import Ground, build_catalogue, build_services

# A loop that does not answer for this part of a lease is blocked: the process must end
# itself before the leases of the innocent do.
_BLOCKED_AFTER = 0.6


def run(settings: Settings, options: WorkerOptions) -> int:
    """Run a worker until it is told to stop, and return its exit code."""
    catalogue = build_catalogue(settings.tasks.modules)
    sign = StopSign()
    engine = WorkerEngine(
        settings=settings,
        catalogue=catalogue,
        lane=options.lane,
        sign=sign,
        services=lambda ground: _services(ground, settings),
    )

    def start_lane() -> RunningLane:
        if options.lane == "io":
            return IoLane(engine, watch_s=settings.tasks.lease_s * _BLOCKED_AFTER)
        return CpuLane(engine)

    app = build_celery_app(
        settings.need_broker_url(),
        catalogue,
        concurrency=options.concurrency or settings.tasks.io_concurrency,
        is_worker=True,
    )
    return run_worker(app, catalogue, options, sign=sign, start_lane=start_lane)


def _services(ground: Ground, settings: Settings) -> Any:
    return build_services(ground, OwnAccounts(settings))


def __getattr__(name: str) -> Any:
    """Make ``celery_app`` when somebody asks for it; importing this module reads no settings."""
    if name != "celery_app":
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    settings = load_settings()
    return build_celery_app(
        settings.need_broker_url(), build_catalogue(settings.tasks.modules), is_worker=True
    )
