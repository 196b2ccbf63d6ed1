"""Decides which orders are taken, and what an owner may do with a task.

Knows nothing of HTTP and Celery. It writes only within the unit of work it is handed, so an
order is accepted exactly when the caller's own transaction is.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from tasuki.core.database import Session, after_commit
from tasuki.core.errors import ValidationFailed
from tasuki.core.ids import new_id
from tasuki.core.jsontext import dump
from tasuki.core.notices import Notices
from tasuki.tasks.declare import Catalogue, EnqueueOptions, Task
from tasuki.tasks.errors import (
    IdempotencyConflict,
    TaskAlreadyRunning,
    TaskFinished,
    TaskNotFound,
    UnknownTask,
)
from tasuki.tasks.records import Moved, Order, TaskEvent, TaskFilter, TaskHandle, TaskRecord
from tasuki.tasks.repository import TaskRepository
from tasuki.tasks.settings import TasksSettings
from tasuki.tasks.states import LANES, State
from tasuki.tasks.telemetry import ordered_by

DISPATCH_KEY = "dispatch"
"""Notice: there may be tasks to ring."""
CANCEL_KEY = "cancel"
"""Notice: somebody cancelled a running task."""
OWNER_KEY = "tasks-of:"
"""Notice, with the id of a user behind it: their tasks are others, or in other states."""

MAX_PRIORITY = 100
MAX_ARGS_BYTES = 262_144
MAX_DELAY = timedelta(days=366)
_MAX_TAGS = 20
_MAX_TEXT = 255  # characters of a key or a tag
_MOST_TOLD = 1_000  # tasks named in notices about one change


def task_key(task_id: UUID) -> str:
    """Return the notice key that says a task has a new event."""
    return f"task:{task_id}"


def batch_key(batch_id: UUID) -> str:
    """Return the notice key that says a batch has other numbers."""
    return f"batch:{batch_id}"


def owner_keys(owner_ids: Iterable[int | None]) -> set[str]:
    """Return the notice keys that say something has changed among the tasks of these users."""
    return {f"{OWNER_KEY}{owner_id}" for owner_id in owner_ids if owner_id is not None}


def tell(notices: Notices, moved: Sequence[Moved]) -> None:
    """Tell watchers, workers and dispatcher what became of tasks; call it after the commit.

    Of very many only the first are named, so that all notices are not about them; the watchers
    of the others find out by looking.
    """
    keys = {task_key(task.id) for task in moved[:_MOST_TOLD]}
    keys |= owner_keys(task.owner_id for task in moved)
    keys |= {batch_key(task.batch_id) for task in moved if task.batch_id is not None}
    if any(task.state is State.CANCELLING for task in moved):
        keys.add(CANCEL_KEY)
    if any(task.next_id is not None for task in moved):
        keys.add(DISPATCH_KEY)
    notices.send(*keys)


WhenCancelled = Callable[[Session, Sequence[UUID]], Awaitable[None]]


class TaskService:
    """Takes orders and answers questions about them.

    Args:
        wake: Called after the commit of an order: there is something to ring.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        notices: Notices,
        settings: TasksSettings,
        wake: Callable[[], None],
        repository: TaskRepository | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._notices = notices
        self._settings = settings
        self._wake = wake
        self._tasks = repository or TaskRepository()
        self._when_cancelled: list[WhenCancelled] = []

    def when_cancelled(self, call: WhenCancelled) -> None:
        """Have somebody called, in the same transaction, with what waited and was cancelled."""
        self._when_cancelled.append(call)

    async def enqueue(
        self,
        session: Session,
        task: Task[..., Any],
        args: dict[str, Any],
        *,
        parent_id: UUID | None = None,
    ) -> TaskHandle:
        """Order a task within the caller's transaction; it starts after the commit.

        Args:
            task: What to run; `Task.having` gives it the options of this order.
            args: Its arguments by name.
            parent_id: The running task that orders it; see `hold`.

        Raises:
            ValidationFailed: An argument or an option is not acceptable.
            IdempotencyConflict: The idempotency key stands for other arguments.
            TaskAlreadyRunning: An unfinished task holds the unique key.
        """
        order = order_of(task, args)
        return await self.enqueue_one(session, task, order, parent_id=parent_id)

    async def enqueue_one(
        self, session: Session, task: Task[..., Any], order: Order, **family: UUID | None
    ) -> TaskHandle:
        """Order a task whose arguments were checked; options and errors are those of `enqueue`.

        Args:
            family: ``parent_id`` or ``batch_id``.
        """
        columns = self.columns(task)
        columns |= {name: one and str(one) for name, one in family.items()}
        added = await self._tasks.add(session, columns, [order])
        if order.id not in added:
            return await self._earlier(session, task, order.args_hash)
        after_commit(session, lambda: self.ordered([task.options.owner_id]))
        return TaskHandle(id=order.id, state=added[order.id], is_new=True)

    async def enqueue_all(
        self, session: Session, columns: Mapping[str, Any], orders: Sequence[Order]
    ) -> None:
        """Order tasks that have these columns in common, by one statement.

        Args:
            columns: As `columns` gives them, and more; no keys.
        """
        await self._tasks.add(session, columns, orders)
        after_commit(session, lambda: self.ordered([columns["owner_id"]]))

    def ordered(self, owner_ids: Iterable[int | None]) -> None:
        """Have the bell rung for what was ordered for these users; call it after the commit."""
        self._wake()
        self._notices.send(*owner_keys(owner_ids))

    def columns(self, task: Task[..., Any]) -> dict[str, Any]:
        """Return what every order of a task with these options writes, as JSON can hold it.

        Raises:
            ValidationFailed: An option is not acceptable.
        """
        options = task.options
        _check_options(options)
        queue = options.queue or task.queue
        if queue not in self._catalogue.queues:
            known = ", ".join(self._catalogue.queues)
            raise invalid("queue", f"unknown queue {queue!r}; there are: {known}")
        return {
            "owner_id": options.owner_id,
            "name": task.name,
            "queue": queue,
            "lane": options.lane or task.lane,
            "priority": options.priority,
            "delay_s": _seconds(options.delay),
            "lifetime_s": _seconds(options.expires),
            "timeout_s": _seconds(task.timeout),
            "max_attempts": task.retry.tries,
            "max_crashes": self._settings.max_crashes,
            "idempotency_key": options.idempotency_key,
            "unique_key": options.unique_key,
            "tags": list(options.tags),
            "trace_context": ordered_by(),
        }

    async def enqueue_by_name(
        self, session: Session, name: str, args: dict[str, Any], options: EnqueueOptions
    ) -> TaskHandle:
        """Order a task that is known by name only.

        Raises:
            UnknownTask: Nobody declared it; the error lists those there are.
        """
        task = self.declared(name)
        return await self.enqueue(session, task.having(**vars(options)), args)

    def allows(self, name: str, args: dict[str, Any], *, user_id: int) -> bool:
        """Whether a user who may order a task may do so with these arguments.

        Raises:
            UnknownTask: Nobody declared it.
            ValidationFailed: An argument is not acceptable.
        """
        task = self.declared(name)
        return task.allows is None or task.allows(user_id, task.check(args))

    def declared(self, name: str) -> Task[..., Any]:
        """Return the declaration of a task.

        Raises:
            UnknownTask: Nobody declared it.
        """
        task = self._catalogue.find(name)
        if task is None:
            raise UnknownTask(name, self._catalogue.names)
        return task

    async def get(self, session: Session, task_id: UUID, *, owner_id: int | None) -> TaskRecord:
        """Return a task.

        Args:
            owner_id: Only if it belongs to this user; none: whosever it is.

        Raises:
            TaskNotFound: It does not exist, or has another owner; the two look alike on
                purpose, so that nobody can probe for ids.
        """
        record = await self._tasks.find(session, task_id, owner_id=owner_id)
        if record is None:
            raise TaskNotFound(task_id)
        return record

    async def page(
        self, session: Session, wanted: TaskFilter, *, before: UUID | None, limit: int
    ) -> list[TaskRecord]:
        """Return tasks, newest first."""
        return await self._tasks.page(session, wanted, before=before, limit=limit)

    async def hold(self, session: Session, task_id: UUID, *, token: UUID) -> State | None:
        """Keep a task from being cancelled until the unit of work ends, if its lease is ours.

        Returns:
            Its state, or nothing if it is not held by this token.
        """
        return await self._tasks.hold(session, task_id, token=token)

    async def cancel(self, session: Session, task_id: UUID, *, owner_id: int | None) -> None:
        """Ask a task to stop. One that waits ends at once, one that runs at its next await.

        What it has ordered itself is asked as well, and what that has ordered. Asking twice is
        fine.

        Raises:
            TaskNotFound: It does not exist, or has another owner.
            TaskFinished: It has ended already.
        """
        record = await self._unfinished(session, task_id, owner_id=owner_id)
        if record.state is State.CANCELLING:
            return
        moved = await self._tasks.cancel(session, task_id, retention_s=self._settings.retention_s)
        if all(task.id != task_id for task in moved):  # it ended a moment ago
            await self._unfinished(session, task_id, owner_id=owner_id)
        await self._follow(session, moved)

    async def cancel_batch(self, session: Session, batch_id: UUID) -> bool:
        """Ask all tasks of a batch to stop; return whether there was one not asked before."""
        moved = await self._tasks.cancel_batch(
            session, batch_id, retention_s=self._settings.retention_s
        )
        await self._follow(session, moved)
        return bool(moved)

    async def hurry_batch(self, session: Session, batch_id: UUID) -> None:
        """Let those tasks of a batch begin now that put themselves back until later."""
        await self._tasks.hurry_batch(session, batch_id)
        after_commit(session, self._wake)

    async def events_after(
        self, session: Session, task_id: UUID, seq: int, *, limit: int = 500
    ) -> list[TaskEvent]:
        """Return a task's events after a position, oldest first."""
        return await self._tasks.events_after(session, task_id, seq, limit=limit)

    async def epoch(self, session: Session) -> str:
        """Return the name of the history that event positions belong to."""
        return await self._tasks.epoch(session)

    async def _follow(self, session: Session, moved: Sequence[Moved]) -> None:
        ended = [task.id for task in moved if task.state is State.CANCELLED]
        for call in self._when_cancelled:
            await call(session, ended)
        after_commit(session, lambda: tell(self._notices, moved))

    async def _unfinished(
        self, session: Session, task_id: UUID, *, owner_id: int | None
    ) -> TaskRecord:
        record = await self.get(session, task_id, owner_id=owner_id)
        if record.state.is_terminal:
            raise TaskFinished(f"The task has ended already: it is {record.state}.")
        return record

    async def _earlier(
        self, session: Session, task: Task[..., Any], args_hash: bytes
    ) -> TaskHandle:
        """Return the task that already holds a key of a refused order."""
        options = task.options
        if options.idempotency_key is not None:
            found = await self._tasks.find_by_key(
                session, owner_id=options.owner_id, name=task.name, key=options.idempotency_key
            )
            if found is not None:
                handle, hash_before = found
                if hash_before != args_hash:
                    raise IdempotencyConflict(options.idempotency_key)
                return handle
        raise TaskAlreadyRunning(
            f"An unfinished {task.name} holds the unique key {options.unique_key!r}."
        )


def order_of(task: Task[..., Any], args: dict[str, Any], *, task_id: UUID | None = None) -> Order:
    """Return an order of a task with these arguments.

    Raises:
        ValidationFailed: They are not acceptable.
    """
    text = dump(task.check(args))
    if len(text) > MAX_ARGS_BYTES:
        raise invalid("args", f"larger than {MAX_ARGS_BYTES} bytes; pass ids, not rows")
    args_hash = hashlib.sha256(f"{task.name}\n{text}".encode()).digest()
    return Order(id=task_id or new_id(), args=text, args_hash=args_hash)


def invalid(name: str, message: str) -> ValidationFailed:
    """Return the error of a field of an order."""
    return ValidationFailed(f"{name}: {message}", errors=[{"loc": ["body", name], "msg": message}])


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _check_options(options: EnqueueOptions) -> None:
    if options.lane is not None and options.lane not in LANES:
        raise invalid("lane", f"must be one of: {', '.join(LANES)}")
    if not -MAX_PRIORITY <= options.priority <= MAX_PRIORITY:
        raise invalid("priority", f"must be between -{MAX_PRIORITY} and {MAX_PRIORITY}")
    for name in ("delay", "expires"):
        span: timedelta | None = getattr(options, name)
        if span is not None and not timedelta(0) <= span <= MAX_DELAY:
            raise invalid(name, f"must be between 0 and {MAX_DELAY.days} days")
    for name in ("idempotency_key", "unique_key"):
        key: str | None = getattr(options, name)
        if key is not None and not _is_word(key):
            raise invalid(name, f"must be 1 to {_MAX_TEXT} printable characters")
    if len(options.tags) > _MAX_TAGS or not all(_is_word(tag) for tag in options.tags):
        raise invalid("tags", f"at most {_MAX_TAGS}, each 1 to {_MAX_TEXT} characters")


def _is_word(text: str) -> bool:
    return 0 < len(text) <= _MAX_TEXT and text.isprintable()
