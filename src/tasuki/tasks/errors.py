"""What can be wrong with a call about a task."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from tasuki.core.errors import Conflict, NotFound, TasukiError, ValidationFailed


class TaskNotFound(NotFound):
    """No such task, or it belongs to somebody else."""

    code = "task_not_found"
    title = "No such task"

    def __init__(self, task_id: UUID | str) -> None:
        """Name the task that was asked for."""
        super().__init__(f"There is no task {task_id} of yours.")


class IdempotencyConflict(Conflict):
    """The idempotency key was used before, with other arguments."""

    code = "idempotency_conflict"
    title = "Key already used"

    def __init__(self, key: str) -> None:
        """Name the key."""
        super().__init__(
            f"The idempotency key {key!r} belongs to a call with other arguments; use a new key."
        )


class TaskAlreadyRunning(Conflict):
    """An unfinished task holds the same unique key."""

    code = "task_already_running"
    title = "Already running"


class TaskFinished(Conflict):
    """The task has ended; there is nothing left to cancel."""

    code = "task_finished"
    title = "Task has ended"


class TaskNotFinished(Conflict):
    """The task has not ended; there is no result yet."""

    code = "task_not_finished"
    title = "Task has not ended"


class UnknownTask(ValidationFailed):
    """Nobody declared a task of this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        """Name it, and those there are."""
        message = f"unknown task {name!r}; there are: {', '.join(sorted(known)) or 'none'}"
        super().__init__(message, errors=[{"loc": ["body", "name"], "msg": message}])


class LeaseLost(TasukiError):
    """The task was given to another worker; what this one still writes is refused."""

    code = "lease_lost"
    title = "Lease lost"


class Fatal(TasukiError):
    """Raise it in a task to fail at once, whatever retries it has left."""

    code = "task_failed"
    title = "Task failed"


class Again(Exception):
    """Raise it in a task to be begun again: this attempt got on, and there is more to do.

    The task waits like any other, so that those which are more urgent come first and a worker
    can stop in between. Neither this attempt nor crashes before it count any more.

    Attributes:
        after: Not before so long from now.
    """

    def __init__(self, after: timedelta = timedelta(0)) -> None:
        """Say when."""
        super().__init__(f"again after {after}")
        self.after = after
