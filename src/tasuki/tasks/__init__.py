"""Background work: declared as functions, kept as rows, carried by Celery, watched by people."""

from typing import TYPE_CHECKING

from tasuki.core.faces import opened_late

if TYPE_CHECKING:
    from tasuki.tasks.artifacts import Artifact, ArtifactStore
    from tasuki.tasks.context import TaskContext
    from tasuki.tasks.declare import Catalogue, Retry, Task, task
    from tasuki.tasks.errors import Fatal
    from tasuki.tasks.records import TaskHandle, TaskRecord
    from tasuki.tasks.service import TaskService
    from tasuki.tasks.states import State
else:
    __getattr__ = opened_late(
        __name__,
        {
            "Artifact": "artifacts",
            "ArtifactStore": "artifacts",
            "Catalogue": "declare",
            "Fatal": "errors",
            "Retry": "declare",
            "State": "states",
            "Task": "declare",
            "TaskContext": "context",
            "TaskHandle": "records",
            "TaskRecord": "records",
            "TaskService": "service",
            "task": "declare",
        },
    )

__all__ = [
    "Artifact",
    "ArtifactStore",
    "Catalogue",
    "Fatal",
    "Retry",
    "State",
    "Task",
    "TaskContext",
    "TaskHandle",
    "TaskRecord",
    "TaskService",
    "task",
]
