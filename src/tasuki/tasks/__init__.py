"""Background work: declared as functions, kept as rows, carried by Celery, watched by people."""

from tasuki.tasks.artifacts import Artifact, ArtifactStore, ArtifactWriter
from tasuki.tasks.context import TaskContext
from tasuki.tasks.declare import Catalogue, Retry, Task, task
from tasuki.tasks.errors import Fatal, TaskNotFound
from tasuki.tasks.records import TaskHandle, TaskRecord
from tasuki.tasks.service import TaskService
from tasuki.tasks.states import State

__all__ = [
    "Artifact",
    "ArtifactStore",
    "ArtifactWriter",
    "Catalogue",
    "Fatal",
    "Retry",
    "State",
    "Task",
    "TaskContext",
    "TaskHandle",
    "TaskNotFound",
    "TaskRecord",
    "TaskService",
    "task",
]
