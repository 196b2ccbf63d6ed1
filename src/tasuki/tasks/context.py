"""What a running task can do: tell how far it is, leave a file, notice that it was cancelled."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal, ParamSpec, Protocol, TypeVar
from uuid import UUID

from tasuki.core.database import Database, Session
from tasuki.core.errors import ValidationFailed
from tasuki.core.registry import Registry
from tasuki.tasks.artifacts import Artifact, ArtifactStore, ArtifactWriter
from tasuki.tasks.records import TaskHandle

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
Service = TypeVar("Service")
Level = Literal["debug", "info", "warning", "error"]

_MOST_MESSAGE = 500  # characters of a progress message
_MOST_LINE = 4_000  # characters of a log line


class Report(Protocol):
    """Takes what a task says about itself and brings it to the watchers.

    May be called from another thread than the one it lives on; never blocks.
    """

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked the task to stop, or it lost its lease."""
        ...

    def progress(self, progress: dict[str, Any]) -> None:
        """Note how far the task is; the newest wins."""
        ...

    def log(self, level: str, message: str) -> None:
        """Note a line for the watchers."""
        ...

    def artifact(self, artifact: Artifact) -> None:
        """Note the file that is the task's result; the newest wins."""
        ...


class Orderable(Protocol[P, R_co]):
    """What of a `Task` must be known here to order one; `declare` stands above this module."""

    async def __call__(self, ctx: "TaskContext", *args: P.args, **kwargs: P.kwargs) -> R_co:
        """See `Task.__call__`."""
        ...

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """See `Task.bind`."""
        ...


class Children(Protocol):
    """Orders tasks on behalf of a running one."""

    async def add(self, task: Any, args: dict[str, Any]) -> TaskHandle:
        """Order a task as a child, in a transaction of its own.

        Raises:
            asyncio.CancelledError: The parent was cancelled, or lost its lease.
        """
        ...


class Notifier(Protocol):
    """Tells people something on behalf of a running task."""

    async def notify(
        self,
        task_id: UUID,
        user_id: int,
        *,
        notification_type: str,
        title: str,
        message: str,
        data: dict[str, Any] | None,
    ) -> None:
        """Tell a user something, unless this task has told them the very same before.

        Raises:
            ValidationFailed: Something of it is too long, or no JSON.
            UserNotFound: There is no such user, as far as this process can know.
        """
        ...


class TaskContext:
    """The first argument of every task.

    Attributes:
        task_id: The task's id.
        attempt: 1 at the first start.
        owner_id: The user who ordered it, if any.
    """

    def __init__(
        self,
        *,
        task_id: UUID,
        attempt: int,
        owner_id: int | None,
        services: Registry,
        report: Report,
        children: Children | None = None,
    ) -> None:
        self.task_id = task_id
        self.attempt = attempt
        self.owner_id = owner_id
        self._services = services
        self._report = report
        self._children = children

    async def progress(
        self,
        current: float,
        *,
        of: float | None = None,
        unit: str | None = None,
        message: str | None = None,
    ) -> None:
        """Tell how far the task is; a place where a cancel takes effect.

        Watchers see at most four a second, and always the last.

        Args:
            current: Steps done.
            of: Steps in all, where known.
            unit: What is counted, e.g. ``rows``.
            message: What is being done, in a few words.
        """
        self._report.progress(
            {
                "current": current,
                "total": of,
                "unit": unit,
                "message": None if message is None else message[:_MOST_MESSAGE],
            }
        )
        await self.checkpoint()

    async def log(self, message: str, level: Level = "info") -> None:
        """Write a line that the watchers of this task see."""
        self._report.log(level, message[:_MOST_LINE])
        await self.checkpoint()

    def checkpoint(self) -> Awaitable[None]:
        """Stop here if the task was cancelled.

        Works with and without ``await``, so that code which computes can call it in a loop;
        with it, other tasks of the process get their turn.

        Raises:
            asyncio.CancelledError: Somebody cancelled the task. Clean up and let it pass.
        """
        if self._report.is_cancelled:
            raise asyncio.CancelledError
        return _Turn()

    @asynccontextmanager
    async def artifact(self, name: str, media_type: str) -> AsyncGenerator[ArtifactWriter]:
        """Write the file that is the task's result.

        ::

            async with ctx.artifact("report.pdf", "application/pdf") as file:
                await file.write(pdf)
            return file.artifact

        A second file replaces the first; a block that raises leaves none.

        Args:
            name: What the file is called when somebody downloads it.
            media_type: Its media type (RFC 6838).
        """
        async with self.get(ArtifactStore).create(name, media_type) as writer:
            yield writer
        self._report.artifact(writer.artifact)

    async def enqueue(
        self, task: Orderable[P, Any], /, *args: P.args, **kwargs: P.kwargs
    ) -> TaskHandle:
        """Order a task as a child of this one, in a transaction of its own.

        It belongs to the same owner, and who cancels this task cancels it as well. It is not
        waited for. An attempt that is repeated orders again; give the child an idempotency
        key (`Task.having`) where that matters.

        Raises:
            ValidationFailed: An argument or an option is not acceptable.
            IdempotencyConflict: The idempotency key stands for other arguments.
            TaskAlreadyRunning: An unfinished task holds the unique key.
            asyncio.CancelledError: This task was cancelled. Clean up and let it pass.
        """
        await self.checkpoint()
        if self._children is None:
            msg = "nothing here takes orders: this TaskContext was made without `children`"
            raise RuntimeError(msg)
        return await self._children.add(task, task.bind(args, kwargs))

    async def notify(
        self,
        title: str,
        message: str,
        *,
        notification_type: str = "task",
        data: dict[str, Any] | None = None,
        user_id: int | None = None,
    ) -> None:
        """Tell a user something: it is in their inbox, and at once in their open tabs.

        It is told when this returns, whatever becomes of the task. A task that crashes or is
        retried tells nobody twice: the same words to the same user are told once by it. Where
        they shall be told again, let something differ, such as a number in ``data``.

        Args:
            title: One line, up to 200 characters.
            message: The rest, up to 4,000 characters.
            notification_type: One word for programs.
            data: Details for programs, up to 8 KiB of JSON.
            user_id: Whom to tell; default: who ordered the task.

        Raises:
            ValidationFailed: Something of it is too long, or nobody ordered the task and
                there is no ``user_id``.
            UserNotFound: There is no such user. A worker cannot know that: there nobody is told.
            asyncio.CancelledError: This task was cancelled. Clean up and let it pass.
        """
        await self.checkpoint()
        whom = self.owner_id if user_id is None else user_id
        if whom is None:
            raise ValidationFailed("user_id: nobody ordered this task; say whom to tell")
        await self.get(Notifier).notify(
            self.task_id,
            whom,
            notification_type=notification_type,
            title=title,
            message=message,
            data=data,
        )

    def get(self, service: type[Service]) -> Service:
        """Return a service that wiring, `Tasuki.provide` or a `Provided` made for this process.

        Raises:
            LookupError: There is none of this class; the message lists those there are.
        """
        return self._services.get(service)

    def unit_of_work(self) -> AbstractAsyncContextManager[Session]:
        """Open a database transaction; it commits when the block ends well."""
        return self._services.get(Database).unit_of_work()


class _Turn:
    """Awaiting it gives the others a turn; not awaiting it is fine as well."""

    def __await__(self) -> Generator[Any, Any, None]:
        yield from asyncio.sleep(0).__await__()
