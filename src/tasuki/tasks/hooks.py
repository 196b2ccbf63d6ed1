"""Hooks: code that is called when an attempt of a task has ended.

They are for what may be missed: a line in another system, a counter, a message. A hook runs
in the worker after the end was committed; a worker that dies in that moment, or has to be
ended because the task did not stop, calls none. What must happen belongs into the task's own
transaction, or is a task that follows a batch (``on_complete``).
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from tasuki.core.registry import Registry
from tasuki.tasks.states import State

Service = TypeVar("Service")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """An attempt that has ended.

    Attributes:
        attempt: 1 at the first.
        state: Where the task is now; ``retrying`` if there will be another attempt.
        result: What it returned, as JSON holds it; none too where that became a file.
        error: Why it did not succeed: kind, type, message, retryable.
    """

    task_id: UUID
    name: str
    owner_id: int | None
    args: dict[str, Any]
    attempt: int
    state: State
    result: Any = None
    error: dict[str, Any] | None = None
    services: Registry = field(default_factory=Registry, repr=False, compare=False)

    def get(self, service: type[Service]) -> Service:
        """Return a service, as `TaskContext.get` does."""
        return self.services.get(service)


Hook = Callable[[Ended], Awaitable[None]]
"""An ``async def`` function."""


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What is called when an attempt has ended.

    Given to ``@task(hooks=…)`` it is for that task. As a global of a module of
    ``TASUKI_TASKS__MODULES`` it is for all tasks, unless some task has it for itself. A hook
    that fails or takes longer than ten seconds is written to the log and changes nothing.

    Attributes:
        on_success: The task succeeded.
        on_failure: It failed, timed out, took down too many workers or was not begun in time.
        on_retry: The attempt failed, and there will be another.
        on_cancel: It was cancelled while a worker had it. One that waited ends without hooks:
            nothing of it ever ran.

    Raises:
        TypeError: A hook is not an ``async def`` function.
    """

    on_success: Hook | None = None
    on_failure: Hook | None = None
    on_retry: Hook | None = None
    on_cancel: Hook | None = None

    def __post_init__(self) -> None:
        """Refuse what would fail at the first call."""
        for name, hook in vars(self).items():
            if hook is not None and not inspect.iscoroutinefunction(hook):
                msg = f"{name} must be an `async def` function"
                raise TypeError(msg)

    def for_state(self, state: State) -> Hook | None:
        """Return what is to be called for a state, if anything is."""
        name = _NAMES.get(state)
        hook: Hook | None = getattr(self, name) if name else None
        return hook


_NAMES = {
    State.SUCCEEDED: "on_success",
    State.FAILED: "on_failure",
    State.TIMED_OUT: "on_failure",
    State.CRASHED: "on_failure",
    State.EXPIRED: "on_failure",
    State.RETRYING: "on_retry",
    State.CANCELLED: "on_cancel",
}
