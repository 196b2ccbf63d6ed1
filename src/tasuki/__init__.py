"""Tasuki (襷): background work that people can watch, for FastAPI and Celery."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasuki.tasks import Artifact, Fatal, Retry, Task, TaskContext, TaskHandle, task
    from tasuki.wiring import Settings, Tasuki

__all__ = [
    "Artifact",
    "Fatal",
    "Retry",
    "Settings",
    "Task",
    "TaskContext",
    "TaskHandle",
    "Tasuki",
    "task",
]

_WIRING = {"Settings", "Tasuki"}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used (PEP 562).

    `import tasuki` alone stays cheap: the guard of `tasuki up` and a module that only
    declares tasks need neither the web framework nor the accounts.
    """
    if name not in __all__:
        msg = f"module 'tasuki' has no attribute {name!r}"
        raise AttributeError(msg)
    if name in _WIRING:
        from tasuki import wiring  # noqa: PLC0415  # see above

        return getattr(wiring, name)
    from tasuki import tasks  # noqa: PLC0415  # see above

    return getattr(tasks, name)
