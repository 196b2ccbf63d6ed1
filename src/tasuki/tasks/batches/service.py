"""Decides which batches are taken, and what an owner may do with one.

Knows nothing of HTTP and Celery, and writes only within the unit of work it is handed.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

from tasuki.core.database import Session, after_commit
from tasuki.core.errors import Forbidden, NotFound, ValidationFailed
from tasuki.core.ids import new_id
from tasuki.core.notices import Notices
from tasuki.tasks.batches.records import BatchHandle, BatchRecord
from tasuki.tasks.batches.repository import BatchRepository
from tasuki.tasks.declare import Task
from tasuki.tasks.errors import IdempotencyConflict, TaskFinished
from tasuki.tasks.records import Order, TaskHandle
from tasuki.tasks.service import TaskService, batch_key, invalid, order_of

LARGEST = 100_000
"""Tasks of one batch at most."""

_AT_ONCE = 1_000  # tasks of one statement, and of one turn on the loop
_MOST_TEXT = 4_194_304  # characters of arguments of one statement
_NOT_AFTERWARDS = ("idempotency_key", "unique_key", "delay", "expires")
_ANY_BATCH = UUID(int=0)

Arguments = Sequence[dict[str, Any]]


class Counted(Protocol):
    """Counts something else than tasks in batches of a unit of its own."""

    async def cancel(self, session: Session, batch_id: UUID) -> None:
        """End what waits of a batch, and count it; its tasks were cancelled already."""
        ...


class BatchService:
    """Takes orders of many tasks at once and answers questions about them."""

    def __init__(
        self,
        *,
        tasks: TaskService,
        notices: Notices,
        repository: BatchRepository | None = None,
    ) -> None:
        self._tasks = tasks
        self._notices = notices
        self._batches = repository or BatchRepository()
        self._counted: dict[str, Counted] = {}

    def count_by(self, unit: str, counted: Counted) -> None:
        """Leave the counting of batches of this unit to somebody else."""
        self._counted[unit] = counted

    async def open(
        self,
        session: Session,
        task: Task[..., Any],
        *,
        batch_id: UUID,
        total: int,
        unit: str,
        args_hash: bytes,
    ) -> BatchHandle:
        """Begin a batch whose caller counts it; who orders its tasks gives them its id.

        Args:
            task: What its tasks are; `Task.having` gives owner and idempotency key.
            total: How many of the unit there are.
            args_hash: Equal for the same order.

        Raises:
            IdempotencyConflict: The idempotency key stands for another order.
        """
        columns = self._tasks.columns(task)
        row = {**_row(batch_id, columns, total, args_hash), "unit": unit}
        if not await self._batches.add(session, row):
            return await self._earlier(session, columns, args_hash)
        return BatchHandle(id=batch_id, is_new=True)

    async def enqueue(
        self,
        session: Session,
        task: Task[..., Any],
        arguments: Arguments,
        *,
        on_complete: Task[..., Any] | None = None,
        on_complete_args: dict[str, Any] | None = None,
        then: Task[..., Any] | None = None,
        then_args: dict[str, Any] | None = None,
        for_user: int | None = None,
    ) -> BatchHandle:
        """Order a task once for each set of arguments, within the caller's transaction.

        All arguments are checked before the first row is written. No more than a thousand of
        them are held as text at a time, so that memory does not grow with the batch.

        Args:
            task: What to run; `Task.having` gives the options that all of them have. An
                idempotency key stands for the whole batch.
            arguments: 1 to `LARGEST` sets.
            on_complete: A task of the same owner that begins once all have ended, however
                they did, also when they were cancelled. It is ordered now and held back.
            on_complete_args: Its arguments. If it has a parameter ``batch_id`` that is not
                among them, it is given the batch's id.
            then: A task of ours that begins when that has ended as well, under the same rules.
                That there is one, not its arguments, is part of what a key stands for.
            for_user: Ask the tasks' ``allows`` whether this user may order this.

        Raises:
            ValidationFailed: An option or an argument is not acceptable; it says which.
            Forbidden: The user may not order it with some of the arguments.
            IdempotencyConflict: The idempotency key stands for other arguments.
        """
        columns = self._columns(task, len(arguments))
        args_hash = await _checked(task, arguments, for_user)
        batch_id, following = new_id(), []
        if on_complete is not None:
            following.append(self._follow_up(on_complete, on_complete_args or {}, columns))
            args_hash = _both(args_hash, following[0].checked(for_user))
        if then is not None:
            following.append(self._follow_up(then, then_args or {}, columns))
            args_hash = _both(args_hash, then.name.encode())
        row = _row(batch_id, columns, len(arguments), args_hash)
        row["on_complete_id"] = following[0].id if following else None
        if not await self._batches.add(session, row):
            return await self._earlier(session, columns, args_hash)
        await self._order_following(session, batch_id, following)
        ours = {**columns, "batch_id": str(batch_id), "idempotency_key": None}
        for orders in _in_lots(task, arguments):
            await self._tasks.enqueue_all(session, ours, orders)
        return BatchHandle(id=batch_id, is_new=True)

    async def _order_following(
        self, session: Session, batch_id: UUID, following: Sequence["_FollowUp"]
    ) -> None:
        """Order what follows a batch, held back; one that another follows is a batch of one."""
        for index, one in enumerate(following):
            columns = one.columns
            order = one.order(batch_id)
            if index + 1 < len(following):
                alone = {**_row(new_id(), columns, 1, order.args_hash), "idempotency_key": None}
                await self._batches.add(
                    session, {**alone, "on_complete_id": following[index + 1].id}
                )
                columns = {**columns, "batch_id": str(alone["id"])}
            await self._tasks.enqueue_all(session, columns, [order])

    async def enqueue_followed(
        self,
        session: Session,
        task: Task[..., Any],
        args: dict[str, Any],
        *,
        then: Task[..., Any],
        then_args: dict[str, Any],
    ) -> TaskHandle:
        """Order one task, and another that begins once it has ended, however it did.

        The keys are those of the task, as if nothing followed it. Only that something does
        makes it another order: so whoever repeats one gets the task that keeps what was asked.

        Args:
            then: A task of the same owner; its parameter ``task_id`` is filled in.

        Raises:
            ValidationFailed, IdempotencyConflict, TaskAlreadyRunning: As `TaskService.enqueue`.
        """
        columns = self._tasks.columns(task)
        order = order_of(task, args)
        args_hash = _both(order.args_hash, then.name.encode())
        order = replace(order, args_hash=args_hash)
        batch_id = new_id()
        handle = await self._tasks.enqueue_one(session, task, order, batch_id=batch_id)
        if not handle.is_new:
            return handle
        told = {**then_args, "task_id": str(order.id)}
        follow_up = self._follow_up(then, told, columns)
        row = _row(batch_id, {**columns, "idempotency_key": None}, 1, args_hash)
        await self._batches.add(session, {**row, "on_complete_id": follow_up.id})
        await self._tasks.enqueue_all(session, follow_up.columns, [follow_up.order(batch_id)])
        return handle

    async def get(self, session: Session, batch_id: UUID, *, owner_id: int | None) -> BatchRecord:
        """Return a batch: one row, however many tasks it has.

        Args:
            owner_id: Only if it belongs to this user; none: whosever it is.

        Raises:
            NotFound: It does not exist, or has another owner; the two look alike.
        """
        record = await self._batches.find(session, batch_id, owner_id=owner_id)
        if record is None:
            raise NotFound(f"There is no batch {batch_id} of yours.")
        return record

    async def cancel(self, session: Session, batch_id: UUID, *, owner_id: int | None) -> None:
        """Cancel a batch as a whole: what waits ends at once, what runs is asked to stop.

        Asking twice is fine. The task that follows the batch runs all the same.

        Raises:
            NotFound: It does not exist, or has another owner.
            TaskFinished: All its tasks have ended already.
        """
        record = await self.get(session, batch_id, owner_id=owner_id)
        if record.finished_at is not None:
            raise TaskFinished("All tasks of the batch have ended already.")
        is_news = await self._tasks.cancel_batch(session, batch_id)
        if record.unit in self._counted:
            await self._counted[record.unit].cancel(session, batch_id)
        if is_news:
            await self._batches.note_cancel(session, batch_id)
            after_commit(session, lambda: self._notices.send(batch_key(batch_id)))

    def _columns(self, task: Task[..., Any], total: int) -> dict[str, Any]:
        if not 1 <= total <= LARGEST:
            raise invalid("args", f"a batch has 1 to {LARGEST} tasks, not {total}")
        if task.options.unique_key is not None:
            raise invalid("unique_key", "many tasks cannot be unique; use an idempotency key")
        return self._tasks.columns(task)

    def _follow_up(
        self, task: Task[..., Any], args: dict[str, Any], batch: dict[str, Any]
    ) -> "_FollowUp":
        for name in _NOT_AFTERWARDS:
            if getattr(task.options, name) is not None:
                raise invalid("on_complete", f"takes no {name}: it begins when the batch is over")
        columns = {**self._tasks.columns(task), "is_held_back": True}
        if columns["owner_id"] is None:
            columns["owner_id"] = batch["owner_id"]
        return _FollowUp(id=new_id(), task=task, args=args, columns=columns)

    async def _earlier(
        self, session: Session, columns: dict[str, Any], args_hash: bytes
    ) -> BatchHandle:
        """Return the batch that already holds the key of a refused order."""
        key = columns["idempotency_key"]
        found = await self._batches.find_by_key(
            session, owner_id=columns["owner_id"], name=columns["name"], key=key
        )
        if found is None or found[1] != args_hash:
            raise IdempotencyConflict(key)
        return BatchHandle(id=found[0], is_new=False)


@dataclass(frozen=True, kw_only=True)
class _FollowUp:
    """The task that begins when a batch is over."""

    id: UUID
    task: Task[..., Any]
    args: dict[str, Any]
    columns: dict[str, Any]

    def order(self, batch_id: UUID) -> Order:
        """Return the order of it, which the batch's end lets go."""
        return order_of(self.task, self._filled(batch_id), task_id=self.id)

    def checked(self, for_user: int | None) -> bytes:
        """Check the arguments; return a hash that is the same for the same order."""
        try:
            args_hash = self.order(_ANY_BATCH).args_hash
            _ask(self.task, self._filled(_ANY_BATCH), for_user)
        except ValidationFailed as exc:
            raise _placed(exc, "on_complete") from exc
        return args_hash

    def _filled(self, batch_id: UUID) -> dict[str, Any]:
        if "batch_id" not in self.task.arguments.model_fields:
            return self.args
        return {"batch_id": str(batch_id), **self.args}


def _row(batch_id: UUID, columns: dict[str, Any], total: int, args_hash: bytes) -> dict[str, Any]:
    return {
        "id": batch_id,
        "owner_id": columns["owner_id"],
        "name": columns["name"],
        "total": total,
        "queued": total,
        "idempotency_key": columns["idempotency_key"],
        "args_hash": args_hash,
    }


def _both(args_hash: bytes, more: bytes) -> bytes:
    return hashlib.sha256(args_hash + more).digest()


async def _checked(task: Task[..., Any], arguments: Arguments, for_user: int | None) -> bytes:
    """Check all arguments and return the hash of all of them; others get their turns."""
    together = hashlib.sha256(task.name.encode())
    for index, args in enumerate(arguments):
        try:
            together.update(order_of(task, args).args_hash)
            _ask(task, args, for_user)
        except ValidationFailed as exc:
            raise _placed(exc, "args", index) from exc
        except Forbidden as exc:
            raise Forbidden(f"args[{index}]: {exc.detail}") from exc
        if index % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
    return together.digest()


def _ask(task: Task[..., Any], args: dict[str, Any], for_user: int | None) -> None:
    if for_user is None or task.allows is None or task.allows(for_user, task.check(args)):
        return
    raise Forbidden("You may not order it with these arguments.")


def _in_lots(task: Task[..., Any], arguments: Arguments) -> Iterator[list[Order]]:
    """Yield orders, no more at a time than one statement should carry."""
    lot: list[Order] = []
    size = 0
    for args in arguments:
        order = order_of(task, args)
        if lot and (len(lot) == _AT_ONCE or size + len(order.args) > _MOST_TEXT):
            yield lot
            lot, size = [], 0
        lot.append(order)
        size += len(order.args)
    yield lot


def _placed(exc: ValidationFailed, *place: str | int) -> ValidationFailed:
    """Return the error of one set of arguments with the place where the set stands."""
    where = f"{place[0]}[{place[1]}]" if len(place) > 1 else str(place[0])
    faults = []
    for fault in exc.errors or [{"loc": ["body", "args"], "msg": exc.detail}]:
        rest = fault["loc"][2:]  # after "body" and "args"
        between = ["args"] if place[0] == "on_complete" else []
        faults.append({"loc": ["body", *place, *between, *rest], "msg": fault["msg"]})
    return ValidationFailed(f"{where}: {exc.detail}", errors=faults)
