"""What the endpoints that order tasks share: the caller may wish to be told by mail."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends

from tasuki.tasks.declare import Task
from tasuki.tasks.records import TaskHandle
from tasuki.tasks.service import TaskService
from tasuki.tasks.telling import Teller, Tidings
from tasuki.web.depends import CurrentUser, DbSession, provided
from tasuki.web.links import LinkBase, MailLanguage


class Desk:
    """Takes the orders of one request."""

    def __init__(
        self,
        user: CurrentUser,
        session: DbSession,
        tasks: Annotated[TaskService, provided(TaskService)],
        teller: Annotated[Teller, provided(Teller)],
        link_base: LinkBase,
        language: MailLanguage,
    ) -> None:
        self._user = user
        self._session = session
        self._tasks = tasks
        self._teller = teller
        self._link_base = link_base
        self._language = language

    async def enqueue(
        self,
        task: Task[..., Any],
        args: dict[str, Any],
        *,
        mail_me: bool,
        template: str,
        values: Mapping[str, str] | None = None,
    ) -> TaskHandle:
        """Order a task of the caller; errors are those of `Teller.enqueue`.

        Args:
            mail_me: Whether they shall be told when it has ended.
            template: What they are told when it has succeeded.
            values: What the template needs besides what all are given.
        """
        if not mail_me:
            return await self._tasks.enqueue(self._session, task, args)
        tidings = self._tidings(template, values or {})
        return await self._teller.enqueue(self._session, self._user, task, args, tidings)

    async def about_batch(
        self, *, mail_me: bool
    ) -> tuple[Task[..., Any] | None, dict[str, Any] | None]:
        """Return the task that is to follow a batch and its arguments; see `Teller`.

        Args:
            mail_me: Whether they shall be told at all.
        """
        if not mail_me:
            return None, None
        tidings = self._tidings("batch_ended", {})
        return await self._teller.about_batch(self._session, self._user, tidings)

    def _tidings(self, template: str, values: Mapping[str, str]) -> Tidings:
        return Tidings(
            template=template, values=values, link_base=self._link_base, language=self._language
        )


Orders = Annotated[Desk, Depends()]
