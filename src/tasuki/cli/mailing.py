"""`tasuki mail send` and `tasuki mail status`: order mails, and see what became of them."""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from tasuki.cli.output import errors, out, say, settings_of
from tasuki.cli.system import with_system
from tasuki.core.database import Database
from tasuki.mail.message import MAX_BODY
from tasuki.mail.records import MailRecord, MailState, Words
from tasuki.mail.schemas import MailOut
from tasuki.mail.sendings.schemas import SendingOut
from tasuki.mail.sendings.service import SendingService
from tasuki.mail.service import MailService
from tasuki.mail.templates import Templates
from tasuki.tasks.batches import BatchService
from tasuki.wiring import Settings, Tasuki

_LOOK_EVERY_S = 0.25
_COLOURS: dict[MailState, str] = {
    "sent": "green",
    "deferred": "yellow",
    "unknown": "yellow",
    "failed": "red",
    "suppressed": "red",
}
_SENDINGS = 5  # a glance; the console has them all


@dataclass(frozen=True, kw_only=True, slots=True)
class _Overview:
    counts: dict[MailState, int]
    mails: list[MailRecord]
    sendings: list[SendingOut]


def send(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="To whom.")],
    subject: Annotated[str, typer.Option("--subject", "-s", help="What it is about.")],
    text: Annotated[
        str | None, typer.Option(help="What it says; default: what is on standard input.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="A file of HTML to send; a text is made of it.")
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="A template that puts the text into a form.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the end; exit 1 unless it was sent.")
    ] = False,
) -> None:
    """Order a mail and print its id, alone on its line.

    [dim]Example: tasuki mail send you@example.org --subject Hello --text "It is done."[/dim]
    """
    settings = settings_of(context)
    words = _words(settings, subject=subject, text=text, html=html, template=template)

    async def order(tasuki: Tasuki) -> MailRecord:
        async with tasuki.services.get(Database).unit_of_work() as session:
            mails = tasuki.services.get(MailService)
            handle = await mails.order(
                session,
                to=address,
                subject=words.subject,
                html=words.html,
                text=words.text,
                owner_id=None,
            )
        say(str(handle.id))
        return await _follow(tasuki, handle.id, is_patient=wait)

    record = with_system(settings, order)
    if wait and record.state != "sent":
        raise typer.Exit(1)


def status(
    context: typer.Context,
    mail_id: Annotated[
        UUID | None, typer.Argument(help="A mail's id; default: how all of them are.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many mails.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what became of a mail; without an id how many are where, the newest, and sendings.

    [dim]Example: tasuki mail status[/dim]
    """
    settings = settings_of(context)
    if mail_id is not None:
        _show(with_system(settings, lambda tasuki: _find(tasuki, mail_id)), as_json=as_json)
        return
    found = with_system(settings, lambda tasuki: _overview(tasuki, limit))
    if as_json:
        mails = [MailOut.model_validate(one).model_dump(mode="json") for one in found.mails]
        sendings = [one.model_dump(mode="json") for one in found.sendings]
        whole = {"counts": found.counts, "mails": mails, "sendings": sendings}
        say(json.dumps(whole, ensure_ascii=False))
        return
    _print_overview(found)


def _words(
    settings: Settings, *, subject: str, text: str | None, html: Path | None, template: str | None
) -> Words:
    if html is not None and template is not None:
        raise typer.BadParameter("--template puts a text into a form; --html has one already")
    if html is None and text is None:
        text = sys.stdin.read(MAX_BODY + 1)
    if template is not None:
        templates = Templates(settings.mail.templates)
        return templates.words(template, subject=subject, content=text or "")
    return Words(subject=subject, html=_content_of(html), text=text)


def _content_of(file: Path | None) -> str | None:
    try:
        return None if file is None else file.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise typer.BadParameter(f"{str(file)!r} is no text in UTF-8") from exc


async def _find(tasuki: Tasuki, mail_id: UUID) -> MailRecord:
    async with tasuki.services.get(Database).unit_of_work() as session:
        return await tasuki.services.get(MailService).get(session, mail_id, owner_id=None)


async def _follow(tasuki: Tasuki, mail_id: UUID, *, is_patient: bool) -> MailRecord:
    """Return a mail when it has ended; tell each change meanwhile."""
    told = None
    while True:
        record = await _find(tasuki, mail_id)
        if not is_patient:
            return record
        news = (record.state, record.attempts, record.answer)
        if news != told:
            told = news
            errors.print(_sentence(record), soft_wrap=True)
        if record.ended_at is not None:
            return record
        await asyncio.sleep(_LOOK_EVERY_S)


async def _overview(tasuki: Tasuki, limit: int) -> _Overview:
    services = tasuki.services
    async with services.get(Database).unit_of_work() as session:
        mails, batches = services.get(MailService), services.get(BatchService)
        sendings = await services.get(SendingService).page(
            session, owner_id=None, before=None, limit=_SENDINGS
        )
        return _Overview(
            counts=await mails.counts(session),
            mails=await mails.page(session, owner_id=None, state=None, before=None, limit=limit),
            sendings=[
                SendingOut.of(one, await batches.get(session, one.id, owner_id=None))
                for one in sendings
            ],
        )


def _show(record: MailRecord, *, as_json: bool) -> None:
    shown = MailOut.model_validate(record)
    if as_json:
        say(shown.model_dump_json())
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in shown.model_dump(mode="json", exclude_none=True).items():
        table.add_row(key, Text(str(value)))
    out.print(table)


def _print_overview(found: _Overview) -> None:
    counts = [f"{number} {state}" for state, number in found.counts.items()]
    out.print("Mails: " + (", ".join(counts) or "none") + ".", highlight=False)
    if found.mails:
        out.print(_mails(found.mails))
    if found.sendings:
        out.print("Sendings:")
        out.print(_sendings(found.sendings))


def _mails(mails: list[MailRecord]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("id", no_wrap=True, min_width=36)  # whole: it is what one copies
    for column in ("to", "state", "answer"):
        table.add_column(column, overflow="fold")
    for record in mails:
        state = Text(record.state, style=_COLOURS.get(record.state, ""))
        table.add_row(str(record.id), Text(record.recipient), state, Text(record.answer or ""))
    return table


def _sendings(sendings: list[SendingOut]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("id", no_wrap=True, min_width=36)
    for column in ("subject", "sent", "failed", "left out", "to go"):
        table.add_column(column, overflow="fold")
    for sending in sendings:
        batch: Any = sending.batch
        to_go = str(batch.queued + batch.running) + (" (paused)" if sending.is_paused else "")
        numbers = (f"{batch.succeeded}/{batch.total}", str(batch.failed), str(batch.cancelled))
        table.add_row(str(sending.id), Text(sending.subject), *numbers, to_go)
    return table


def _sentence(record: MailRecord) -> Text:
    is_told = record.answer and record.state != "sending"  # what was said before, not now
    said = f": {record.answer}" if is_told else ""
    return Text(f"{record.state}{said}", style=_COLOURS.get(record.state, ""))
