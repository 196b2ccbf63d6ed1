"""Decides who may export what, how many exports run at once, and how one is told of.

Knows nothing of HTTP and SQL.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tasuki.core.background import Background
from tasuki.core.database import Database, Session
from tasuki.core.datasets import Dataset, Datasets
from tasuki.core.errors import Forbidden, TasukiError, Unavailable, ValidationFailed
from tasuki.core.ids import new_id
from tasuki.core.jsontext import dump
from tasuki.core.logging import get_logger
from tasuki.exports.copying import Copier
from tasuki.exports.errors import (
    DatasetNotFound,
    ExportNotFound,
    ExportRunning,
    TooManyExports,
)
from tasuki.exports.forms import Form
from tasuki.exports.query import ExportQuery, asked, read_again
from tasuki.exports.records import ExportRun
from tasuki.exports.repository import ExportRepository
from tasuki.exports.settings import ExportsSettings
from tasuki.exports.spool import Beginning, Spool, SpoolFolder
from tasuki.web.principal import Principal

log = get_logger(__name__)

_TELL_EVERY_S = 1.0
_FINISH_WITHIN_S = 0.6  # a client that leaves may come back for the rest, if that is here so soon
_TRY_AGAIN_S = 2
_LOOK_EVERY_S = 0.25
_LOOKS = 20  # five seconds are enough for a million rows; proxies wait longer than that
_GIVEN_UP = "It was given up, since its client left or the server stopped."
_MOST_DIGITS = 18  # of the number of a user


class Production:
    """An export on its way into its file.

    Attributes:
        rows: So many have come.
    """

    def __init__(self, run_id: UUID, spool: Spool) -> None:
        self.run_id = run_id
        self.spool = spool
        self.task: asyncio.Task[None] | None = None
        self.rows = 0

    async def count(self, rows: int) -> None:
        """Take note of how many rows have come."""
        self.rows = rows


class ExportService:
    """Exports of one process."""

    def __init__(
        self,
        *,
        datasets: Datasets,
        database: Database,
        copier: Copier,
        folder: SpoolFolder,
        settings: ExportsSettings,
        repository: ExportRepository | None = None,
    ) -> None:
        self.datasets = datasets
        self.folder = folder
        self._database = database
        self._copier = copier
        self._settings = settings
        self._runs = repository or ExportRepository()
        self._running: Counter[int] = Counter()
        self._producing = Background()

    async def close(self) -> None:
        """Interrupt what runs."""
        await self._producing.close()

    def of_user(self, user: Principal) -> list[Dataset]:
        """Return the datasets that a user may export anything of."""
        return [one for one in self.datasets if one.owner or sees_all(user, one)]

    def dataset(self, name: str, user: Principal) -> Dataset:
        """Return a dataset.

        Raises:
            DatasetNotFound: There is none of this name.
            Forbidden: It is not for this user.
        """
        found = self.datasets.by_name.get(name)
        if found is None:
            known = ", ".join(one.name for one in self.of_user(user))
            raise DatasetNotFound(f"There is no dataset {name[:60]!r}; there is: {known}.")
        if found.owner is None and not sees_all(user, found):
            needed = f"the scope {found.scope}" if found.scope else "an admin"
            raise Forbidden(f"Exporting {found.name} needs {needed}.")
        return found

    async def begin(self, user: Principal, query: ExportQuery, form: Form) -> Production:
        """Begin to export into a file, and return once there is something in it.

        Raises:
            TooManyExports: As many run as may.
            ExportFailed: The database or the disk refuses.
            Unavailable: The database does not answer.
        """
        self._take_slot(user.id)
        run_id = new_id()
        production = Production(run_id, self.folder.create(run_id))
        try:
            await self._note(user, query, form, run_id)
        except BaseException:
            self._free_slot(user.id)
            raise
        production.task = self._producing.start(
            self._produce(user.id, production, query, form), name="export"
        )
        try:
            await production.spool.read(0, most=1)
        except BaseException:
            self.leave(production)
            raise
        return production

    def leave(self, production: Production) -> None:
        """Care for the rest of an export whose client is served, or gone.

        What is whole stays to be fetched again. What is not gets a moment to become so, then it
        is given up, so that nobody's query runs for nobody.
        """
        _ = self._producing.start(self._settle(production), name="export-settle")

    async def run(self, session: Session, run_id: UUID, *, user: Principal) -> ExportRun:
        """Return an export of a user.

        Raises:
            ExportNotFound: There is none, it is somebody else's, or it has expired.
        """
        found = await self._runs.find(session, run_id)
        if found is None or found.owner_id != user.id:
            raise ExportNotFound(f"There is no export {run_id} of yours; it may have expired.")
        return found

    async def whole(self, run_id: UUID, *, user: Principal) -> tuple[ExportRun, str]:
        """Return an export whose file can be sent, with the file's SHA-256.

        Waits a moment for one that is being written; one that was given up is written again.

        Raises:
            ExportNotFound: As `run`; or it failed, so there is no file.
            ExportRunning: It takes longer; the writing goes on.
            TooManyExports: It would have to be written again, and as many run as may.
            DatasetNotFound: The dataset is gone.
            Forbidden: The right to rows of others was taken away since.
        """
        for _ in range(_LOOKS):
            async with self._database.unit_of_work() as session:
                run = await self.run(session, run_id, user=user)
            dataset = self.dataset(run.dataset, user)
            if run.rows_of != user.id and not sees_all(user, dataset):
                raise Forbidden(f"Exporting all of {dataset.name} is no longer for you.")
            if run.sha256 is not None:
                return run, run.sha256
            if not run.is_to_be_had:
                raise ExportNotFound(f"This export failed, so there is no file. {run.error}")
            if run.left is not None:
                await self._make_again(run, run.left, read_again(dataset, run.asked))
            await asyncio.sleep(_LOOK_EVERY_S)
        raise ExportRunning("The file is still being written.", retry_after_s=1)

    async def runs(
        self, session: Session, user: Principal, *, before: UUID | None, limit: int
    ) -> list[ExportRun]:
        """Return a user's exports that have not expired, the newest first."""
        return await self._runs.of_owner(session, user.id, before=before, limit=limit)

    async def _make_again(self, run: ExportRun, left: Beginning, query: ExportQuery) -> None:
        """Write the file of an export that was given up, unless somebody else does so already.

        All of it anew, from one moment: what the client has is compared with how that begins.
        """
        self._take_slot(run.owner_id)
        try:
            async with self._database.unit_of_work() as session:
                is_ours = await self._runs.begin_again(session, run.id)
        except BaseException:
            self._free_slot(run.owner_id)
            raise
        if not is_ours:
            self._free_slot(run.owner_id)
            return
        production = Production(run.id, self.folder.create(run.id, beginning=left))
        production.task = self._producing.start(
            self._produce(run.owner_id, production, query, run.form), name="export-again"
        )
        production.task.add_done_callback(lambda _: production.spool.close())

    def _take_slot(self, user_id: int) -> None:
        most, own = self._settings.at_once, self._settings.per_user
        if self._running.total() >= most:
            raise TooManyExports(f"{most} exports run already.", retry_after_s=_TRY_AGAIN_S)
        if self._running[user_id] >= own:
            raise TooManyExports(f"{own} of your exports run.", retry_after_s=_TRY_AGAIN_S)
        self._running[user_id] += 1

    def _free_slot(self, user_id: int) -> None:
        self._running[user_id] -= 1
        if not self._running[user_id]:
            del self._running[user_id]

    async def _note(self, user: Principal, query: ExportQuery, form: Form, run_id: UUID) -> None:
        values = {
            "id": run_id,
            "owner_id": user.id,
            "dataset": query.dataset.name,
            "format": form.format,
            "profile": form.profile,
            "encoding": form.encoding,
            "asked": asked(query) | {"member": form.member, "has_end": form.has_end},
        }
        async with self._database.unit_of_work() as session:
            await self._runs.add(session, values, keep_s=self._settings.keep_s)

    async def _produce(
        self, user_id: int, production: Production, query: ExportQuery, form: Form
    ) -> None:
        spool = production.spool
        telling = self._producing.start(self._tell_often(production), name="export-tell")
        try:
            rows = await self._copier.copy(query, form, spool.write, tell=production.count)
            sha256 = await spool.finish()
            # Before the client has the end: who has it all finds a run that says so.
            await self._tell(
                production.run_id, state="complete", rows=rows, bytes=spool.size, sha256=sha256
            )
            spool.end()
        except BaseException as exc:
            # When it is interrupted the driver may raise something of its own.
            fault = Unavailable(_GIVEN_UP) if _is_interrupted() else exc
            spool.fail(fault)
            await self._tell(production.run_id, state="failed", **_ending(fault, spool))
            if not isinstance(fault, TasukiError):
                log.exception("export_failed", run_id=str(production.run_id))
        finally:
            telling.cancel()
            self._free_slot(user_id)

    async def _tell_often(self, production: Production) -> None:
        """Tell how far an export is, and so that it lives, though its first row may take long."""
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            await self._tell(production.run_id, rows=production.rows, bytes=production.spool.size)

    async def _settle(self, production: Production) -> None:
        task = production.task
        if task is not None and not task.done():
            await asyncio.wait({task}, timeout=_FINISH_WITHIN_S)
            if not production.spool.is_whole:
                task.cancel()
            await asyncio.wait({task})
        production.spool.close()

    async def _tell(self, run_id: UUID, **values: Any) -> None:
        try:
            async with asyncio.timeout(5), self._database.unit_of_work() as session:
                await self._runs.tell(session, run_id, values)
        except (TasukiError, TimeoutError) as exc:
            # Whoever asks sees an export that has been silent for long, which is one that failed.
            log.warning("export_not_told", run_id=str(run_id), error=str(exc))


def said_of(query: ExportQuery) -> str:
    """Return what a query asks for, for the record of who exported other people's rows."""
    return f"dataset:{query.dataset.name} {dump(asked(query))}"


def owned_by(dataset: Dataset, user: Principal, owner: Sequence[str]) -> int | None:
    """Return whose rows a user exports; none: everybody's.

    Args:
        owner: Whose rows were asked for, as the request says it.

    Raises:
        DatasetNotFound: They are somebody else's.
        ValidationFailed: It is no number.
    """
    if not owner:
        return None if sees_all(user, dataset) else user.id
    [text] = owner if len(owner) == 1 else [""]
    if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
        raise ValidationFailed(f"{dataset.owner}: one number of a user")
    wanted = int(text)
    if wanted != user.id and not sees_all(user, dataset):
        raise DatasetNotFound("There is nothing of that user for you.")
    return wanted


def sees_all(user: Principal, dataset: Dataset) -> bool:
    """Whether a user may export the rows of everybody."""
    return user.is_admin or (dataset.scope is not None and user.has_scope(dataset.scope))


def _is_interrupted() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _ending(fault: BaseException, spool: Spool) -> dict[str, Any]:
    """Return why an export ended early and, if it can be made again, what its client has."""
    if not isinstance(fault, TasukiError):
        return {"error": "Something broke on our side."}
    begun = spool.begun() if isinstance(fault, Unavailable) else None
    if begun is None:
        return {"error": fault.detail}
    return {"error": fault.detail, "bytes": begun.size, "sha256": begun.sha256}
