"""`tasuki task`: order tasks, look, watch and cancel, with an operator's rights."""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from pydantic import ValidationError
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from tasuki.accounts import UserService
from tasuki.cli.output import errors, out, say, settings_of
from tasuki.cli.system import with_system
from tasuki.core.clock import utc_now
from tasuki.core.database import Database
from tasuki.tasks import State, TaskRecord, TaskService
from tasuki.tasks.records import TaskEvent, TaskFilter
from tasuki.tasks.replays import ReplayService, ReplayWanted
from tasuki.tasks.replays.tasks import replay as replay_many
from tasuki.tasks.schemas import TaskOut
from tasuki.tasks.telling import Teller, Tidings
from tasuki.web.principal import Principal
from tasuki.wiring import Settings, Tasuki
from tasuki.wiring.people import OwnAccounts

app = typer.Typer(
    help="Background work: order, look, watch, cancel, replay.", no_args_is_help=True
)

_LOOK_EVERY_S = 0.25
_COLOURS = {
    State.SUCCEEDED: "green",
    State.RUNNING: "cyan",
    State.CANCELLING: "yellow",
    State.RETRYING: "yellow",
    State.FAILED: "red",
    State.CRASHED: "red",
    State.TIMED_OUT: "red",
}

TaskId = Annotated[UUID, typer.Argument(help="The task's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def order(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The task's name.")],
    args: Annotated[str, typer.Option(help="Its arguments, as a JSON object.")] = "{}",
    user: Annotated[
        str | None, typer.Option(help="Whose task it is; default: nobody's, seen by admins.")
    ] = None,
    mail_me: Annotated[
        bool, typer.Option("--mail-me", help="Write to that user when it has succeeded or failed.")
    ] = False,
) -> None:
    """Order a task and print its id, alone on its line.

    The link of a mail leads to TASUKI_WEB__PUBLIC_URL, or else to where web processes listen.

    [dim]Example: TASK=$(tasuki task order shop.greet --args '{"names": ["Hana"]}')[/dim]
    """
    given = _json_object(args)
    if mail_me and user is None:
        raise typer.BadParameter("--mail-me writes to a user; name one by --user")
    settings = settings_of(context)

    async def accept(tasuki: Tasuki) -> UUID:
        tasks = tasuki.services.get(TaskService)
        task = tasks.declared(name)
        async with tasuki.services.get(Database).unit_of_work() as session:
            owner = None
            if user is not None:
                owner = await tasuki.services.get(UserService).get_by_username(session, user)
                task = task.having(owner_id=owner.id)
            if owner is None or not mail_me:
                return (await tasks.enqueue(session, task, given)).id
            teller: Teller = tasuki.services.get(Teller)
            tidings = Tidings(template="task_ready", link_base=_site(settings), language="en")
            return (await teller.enqueue(session, Principal.of(owner), task, given, tidings)).id

    # The users that have names here are Tasuki's own, so it knows their addresses.
    say(str(with_system(settings, accept, identity=OwnAccounts(settings) if user else None)))


def _site(settings: Settings) -> str:
    """Return where people reach the web processes, as far as anybody has said."""
    web = settings.web
    return web.public_url or f"http://{web.host}:{web.port}"


@app.command("list")
def list_tasks(
    context: typer.Context,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    name: Annotated[str | None, typer.Option(help="Only those of this name.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only those of this queue.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List tasks, newest first.

    [dim]Example: tasuki task list --state failed[/dim]
    """
    wanted = TaskFilter(state=state, name=name, queue=queue)

    async def find(tasuki: Tasuki) -> list[TaskRecord]:
        async with tasuki.services.get(Database).unit_of_work() as session:
            service = tasuki.services.get(TaskService)
            return await service.page(session, wanted, before=None, limit=limit)

    found = with_system(settings_of(context), find)
    if as_json:
        for record in found:
            _print_json(record)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("id", no_wrap=True, min_width=36)  # whole: it is what one copies
    table.add_column("name", overflow="fold")
    for column in ("state", "done", "age"):
        table.add_column(column, no_wrap=True)
    for record in found:
        table.add_row(
            str(record.id),
            Text(record.name),
            Text(record.state, style=_COLOURS.get(record.state, "")),
            Text(_progress_of(record)),
            _age(record.created_at),
        )
    out.print(table)


@app.command()
def show(context: typer.Context, task_id: TaskId, as_json: AsJson = False) -> None:
    """Show one task and what happened to it.

    [dim]Example: tasuki task show 0190c7a2-…[/dim]
    """

    async def find(tasuki: Tasuki) -> tuple[TaskRecord, list[TaskEvent]]:
        async with tasuki.services.get(Database).unit_of_work() as session:
            service = tasuki.services.get(TaskService)
            record = await service.get(session, task_id, owner_id=None)
            return record, await service.events_after(session, task_id, 0, limit=200)

    record, events = with_system(settings_of(context), find)
    if as_json:
        _print_json(record)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in TaskOut.of(record).model_dump(mode="json", exclude_none=True).items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        table.add_row(key, Text(shown))
    out.print(table)
    out.print()
    for event in events:
        out.print(Text(f"{event.at:%H:%M:%S.%f}"[:12] + f"  {_sentence(event)}"))


@app.command()
def watch(
    context: typer.Context, task_ids: Annotated[list[UUID], typer.Argument(help="Tasks by id.")]
) -> None:
    """Draw live bars until all the tasks have ended; exit 1 unless all succeeded.

    [dim]Example: tasuki task watch 0190c7a2-…[/dim]
    """

    async def follow(tasuki: Tasuki) -> list[TaskRecord]:
        return await _Bars(tasuki).follow(task_ids)

    ended = with_system(settings_of(context), follow)
    for record in ended:
        style = _COLOURS.get(record.state, "")
        reason = f": {record.error['message']}" if record.error else ""
        out.print(Text(f"{record.name} {record.id} {record.state}{reason}", style=style))
    if any(record.state is not State.SUCCEEDED for record in ended):
        raise typer.Exit(1)


@app.command()
def cancel(context: typer.Context, task_id: TaskId) -> None:
    """Ask a task to stop.

    [dim]Example: tasuki task cancel 0190c7a2-…[/dim]
    """

    async def ask(tasuki: Tasuki) -> TaskRecord:
        await tasuki.cancel(task_id)
        return await tasuki.status(task_id)

    out.print(f"The task is {with_system(settings_of(context), ask).state}.")


@app.command()
def replay(
    context: typer.Context,
    task_ids: Annotated[list[UUID] | None, typer.Argument(help="Tasks by id.")] = None,
    state: Annotated[State | None, typer.Option(help="All that ended in this state.")] = None,
    name: Annotated[str | None, typer.Option(help="All of this name.")] = None,
    queue: Annotated[str | None, typer.Option(help="All of this queue.")] = None,
    tag: Annotated[str | None, typer.Option(help="All with this tag.")] = None,
    batch: Annotated[UUID | None, typer.Option(help="All of this batch.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The oldest so many.")] = 100_000,
) -> None:
    """Order tasks again that did not succeed: some by id, or all that fit the options.

    [dim]Example: tasuki task replay --state failed --name shop.invoice[/dim]
    """
    chosen = {"state": state, "name": name, "queue": queue, "tag": tag, "batch_id": batch}
    given = {key: str(value) for key, value in chosen.items() if value is not None}
    if bool(task_ids) == bool(given):
        raise typer.BadParameter("give the ids of tasks, or options that tell which, not both")
    if task_ids:
        made = with_system(settings_of(context), lambda tasuki: _replay_each(tasuki, task_ids))
        for new_id in made:
            out.print(str(new_id))
        return
    try:
        wanted = ReplayWanted.model_validate({**given, "limit": limit})
    except ValidationError as exc:
        raise typer.BadParameter(exc.errors()[0]["msg"]) from exc
    task_id = with_system(settings_of(context), lambda tasuki: _replay_all(tasuki, wanted))
    out.print(f"A worker does it; see how far it is: tasuki task watch {task_id}")


async def _replay_each(tasuki: Tasuki, task_ids: list[UUID]) -> list[UUID]:
    """Order tasks again, all or none."""
    replays = tasuki.services.get(ReplayService)
    async with tasuki.services.get(Database).unit_of_work() as session:
        return [(await replays.replay(session, task_id, owner_id=None)).id for task_id in task_ids]


async def _replay_all(tasuki: Tasuki, wanted: ReplayWanted) -> UUID:
    async with tasuki.services.get(Database).unit_of_work() as session:
        return (await tasuki.enqueue(session, replay_many, wanted=wanted)).id


class _Bars:
    """Draws one bar a task and keeps them true."""

    def __init__(self, tasuki: Tasuki) -> None:
        self._tasuki = tasuki
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[message]}", markup=False),
            console=errors,
        )

    async def follow(self, task_ids: list[UUID]) -> list[TaskRecord]:
        """Return the records when all have ended."""
        records = {task_id: await self._tasuki.status(task_id) for task_id in task_ids}
        with self._progress:
            bars = {
                task_id: self._progress.add_task(record.name, total=None, message="")
                for task_id, record in records.items()
            }
            while True:
                for task_id, record in records.items():
                    self._draw(bars[task_id], record)
                if all(record.state.is_terminal for record in records.values()):
                    return list(records.values())
                await asyncio.sleep(_LOOK_EVERY_S)
                for task_id, record in records.items():
                    if not record.state.is_terminal:
                        records[task_id] = await self._tasuki.status(task_id)

    def _draw(self, bar: Any, record: TaskRecord) -> None:
        progress = record.progress or {}
        total, current = progress.get("total"), progress.get("current", 0)
        message = progress.get("message") or record.state
        if record.state is State.SUCCEEDED:
            total = current = total or 1
        self._progress.update(bar, total=total, completed=current, message=message)


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as exc:
        raise typer.BadParameter(f"--args is not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise typer.BadParameter("--args must be a JSON object of arguments by name")
    return value


def _print_json(record: TaskRecord) -> None:
    say(TaskOut.of(record).model_dump_json())


def _progress_of(record: TaskRecord) -> str:
    if not record.progress:
        return ""
    return _of(record.progress)


def _of(progress: Mapping[str, Any]) -> str:
    """Return how far it is, as ``1038934/2000000``."""
    known = [amount for amount in (progress["current"], progress["total"]) if amount is not None]
    return "/".join(f"{amount:.12g}" for amount in known)


def _age(moment: datetime) -> str:
    seconds = (utc_now() - moment).total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _sentence(event: TaskEvent) -> str:
    data = event.data
    if event.type == "log":
        return f"[{data['level']}] {data['message']}"
    if event.type == "progress":
        return f"progress {_of(data)} {data['message'] or ''}".rstrip()
    error = data.get("error")
    return f"{event.type}: {error['message']}" if error else event.type
