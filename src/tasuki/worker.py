"""The Celery application, for those who come by Celery's own command.

``celery -A tasuki.worker:celery_app inspect active`` and Flower find it here; to run a worker
use ``tasuki worker``.
"""

from typing import Any

from tasuki.tasks.celery import build_celery_app
from tasuki.wiring import load_settings
from tasuki.wiring.declared import load_declared


def __getattr__(name: str) -> Any:
    """Make ``celery_app`` when somebody asks for it; importing this module reads no settings."""
    if name != "celery_app":
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    settings = load_settings()
    catalogue = load_declared(settings.tasks.modules).catalogue
    return build_celery_app(settings.need_broker_url(), catalogue, is_worker=True)
