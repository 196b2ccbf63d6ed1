"""SQL of exports: the statement whose rows are copied out, and the table of runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Text,
    and_,
    case,
    cast,
    delete,
    false,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB, asyncpg

from tasuki.core.database import Session
from tasuki.core.datasets import Kind
from tasuki.exports.forms import Form
from tasuki.exports.models import ExportRow
from tasuki.exports.query import Condition, ExportQuery
from tasuki.exports.records import ExportRun
from tasuki.exports.spool import Beginning

_RFC_3339 = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
_RFC_3339_KNOWS: tuple[ColumnElement[Any], ColumnElement[Any]] = (
    literal_column("'0001-01-01'::timestamptz"),
    literal_column("'9999-12-31 23:59:59.999999'::timestamptz"),
)
_FOR_PEOPLE = "YYYY-MM-DD HH24:MI:SS"
# What a spreadsheet takes for a formula (OWASP, CSV injection), and their full-width forms.
_FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"
_SILENT_FOR = timedelta(seconds=30)
_LOST = "The process that wrote it is gone."


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with its arguments, as the driver takes them, and how COPY is to write the rows."""

    sql: str
    arguments: tuple[Any, ...]
    copy_options: Mapping[str, Any]


def statement_of(query: ExportQuery, form: Form) -> Statement:
    """Return the statement whose rows COPY writes in the lines of a form."""
    rows = _rows(query, form)
    if form.format == "csv":
        return _compiled(rows, {"format": "csv", "header": True})
    # CSV whose quote and separator cannot occur in JSON, so that each line is just its text.
    lines = rows.subquery("_row")
    objects = select(func.row_to_json(literal_column("_row"))).select_from(lines)
    return _compiled(objects, {"format": "csv", "quote": "\x01", "delimiter": "\x02"})


def count_of(query: ExportQuery) -> Statement:
    """Return the statement that counts the rows."""
    counted = _chosen(query, query.dataset.rows.subquery("_all")).subquery("_counted")
    return _compiled(select(func.count()).select_from(counted), {})


def _rows(query: ExportQuery, form: Form) -> Select[Any]:
    table = query.dataset.rows.subquery("_all")
    kinds = query.dataset.columns
    shown = {name: _shown(table.c[name], kinds[name], form) for name in query.columns}
    if form.format == "csv" and len(shown) == 1:
        # NULL would be an empty line, over which most readers pass; so it is an empty text here.
        shown = {name: func.coalesce(cast(cell, Text), "") for name, cell in shown.items()}
    order = [
        table.c[name].desc() if is_descending else table.c[name].asc()
        for name, is_descending in query.sort
    ]
    return (
        _chosen(query, table)
        .with_only_columns(*(cell.label(name) for name, cell in shown.items()))
        .order_by(*order)
    )


def _chosen(query: ExportQuery, table: Subquery) -> Select[Any]:
    conditions = [_where(table.c[one.column], one) for one in query.conditions]
    if query.owner_id is not None:
        owner = query.dataset.owner
        conditions.append(table.c[owner] == query.owner_id if owner else false())
    return select(table).where(*conditions).limit(query.limit)


def _where(column: ColumnElement[Any], condition: Condition) -> ColumnElement[bool]:
    if condition.operator == "is":
        return column.in_(condition.values)
    [bound] = condition.values
    return column >= bound if condition.operator == "from" else column < bound


def _shown(column: ColumnElement[Any], kind: Kind, form: Form) -> ColumnElement[Any]:
    """Return a column as it stands in the file."""
    if kind == "timestamp":
        return _time(column, _FOR_PEOPLE if form.profile == "excel" else _RFC_3339)
    if form.format != "csv":
        return _one_line(column) if kind == "json" else column
    if kind == "list":
        column = cast(func.to_json(column), Text)
    elif kind in {"json", "boolean"}:
        column = cast(column, Text)
    if form.profile == "excel" and kind in {"text", "json", "list"}:
        starts = func.strpos(_FORMULA_STARTS, func.left(column, 1)) > 0
        return case((and_(column != "", starts), func.concat("'", column)), else_=column)
    return column


def _time(column: ColumnElement[Any], pattern: str) -> ColumnElement[Any]:
    """Return a time in UTC; one that RFC 3339 has no word for, such as infinity, as it is."""
    shown = func.to_char(func.timezone("UTC", column), pattern)
    return case((column.between(*_RFC_3339_KNOWS), shown), else_=cast(column, Text))


def _one_line(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return JSON without line breaks; between its words a value of the type json may have some.

    As text: as jsonb it would lose what is said twice, and U+0000.
    """
    if isinstance(column.type, JSONB):
        return column
    return cast(func.translate(cast(column, Text), "\n\r", "  "), JSON)


def _compiled(statement: Select[Any], copy_options: Mapping[str, Any]) -> Statement:
    compiled = statement.compile(
        dialect=asyncpg.dialect(),  # type: ignore[no-untyped-call]  # its stubs say nothing
        compile_kwargs={"render_postcompile": True},
    )
    names: Sequence[str] = getattr(compiled, "positiontup", None) or ()
    return Statement(str(compiled), tuple(compiled.params[name] for name in names), copy_options)


class ExportRepository:
    """Reads and writes exports within somebody's unit of work."""

    async def add(self, session: Session, values: Mapping[str, Any], *, keep_s: float) -> None:
        """Note an export that begins."""
        expires_at = func.now() + timedelta(seconds=keep_s)
        await session.execute(
            insert(ExportRow).values(state="running", expires_at=expires_at, **values)
        )

    async def tell(self, session: Session, run_id: UUID, values: Mapping[str, Any]) -> None:
        """Note how far an export is, or how it ended."""
        await session.execute(
            update(ExportRow)
            .where(ExportRow.id == run_id, ExportRow.state == "running")
            .values(seen_at=func.now(), **values)
        )

    async def begin_again(self, session: Session, run_id: UUID) -> bool:
        """Note that an export that was given up is made again; return whether it was not yet."""
        begun = await session.scalars(
            update(ExportRow)
            .where(
                ExportRow.id == run_id, ExportRow.state == "failed", ExportRow.sha256.is_not(None)
            )
            .values(state="running", seen_at=func.now(), rows=0, bytes=0, sha256=None, error=None)
            .returning(ExportRow.id)
        )
        return begun.one_or_none() is not None

    async def find(self, session: Session, run_id: UUID) -> ExportRun | None:
        """Return an export that has not expired."""
        found = await session.execute(
            select(ExportRow, _is_lost()).where(
                ExportRow.id == run_id, ExportRow.expires_at > func.now()
            )
        )
        row = found.one_or_none()
        return None if row is None else _record(row[0], is_lost=row[1])

    async def of_owner(
        self, session: Session, owner_id: int, *, before: UUID | None, limit: int
    ) -> list[ExportRun]:
        """Return a user's exports, the newest first."""
        statement = (
            select(ExportRow, _is_lost())
            .where(ExportRow.owner_id == owner_id, ExportRow.expires_at > func.now())
            .order_by(ExportRow.id.desc())
            .limit(limit)
        )
        if before is not None:
            statement = statement.where(ExportRow.id < before)
        found = await session.execute(statement)
        return [_record(row, is_lost=is_lost) for row, is_lost in found]

    async def delete_expired(self, session: Session, *, limit: int) -> list[UUID]:
        """Delete the rows of exports that are over and expired; return their ids."""
        expired = (
            select(ExportRow.id)
            .where(
                ExportRow.expires_at < func.now(),
                or_(ExportRow.state != "running", _is_lost()),
            )
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        deleted = await session.scalars(
            delete(ExportRow).where(ExportRow.id.in_(expired)).returning(ExportRow.id)
        )
        return list(deleted)

    async def fail_lost(self, session: Session) -> list[UUID]:
        """Note which exports have failed without a word, with their process; return their ids."""
        failed = await session.scalars(
            update(ExportRow)
            .where(_is_lost())
            .values(state="failed", error=_LOST)
            .returning(ExportRow.id)
        )
        return list(failed)


def _is_lost() -> ColumnElement[bool]:
    return and_(ExportRow.state == "running", ExportRow.seen_at < func.now() - _SILENT_FOR)


def _record(row: ExportRow, *, is_lost: bool) -> ExportRun:
    return ExportRun(
        id=row.id,
        owner_id=row.owner_id,
        dataset=row.dataset,
        form=Form(
            format=row.format,  # type: ignore[arg-type]  # we wrote it
            profile=row.profile,  # type: ignore[arg-type]  # as above
            encoding=row.encoding,  # type: ignore[arg-type]  # as above
            member=row.asked.get("member"),
            has_end=row.asked.get("has_end", False),
        ),
        asked=row.asked,
        state="failed" if is_lost else row.state,  # type: ignore[arg-type]  # as above
        rows=row.rows,
        bytes=row.bytes,
        sha256=row.sha256 if row.state == "complete" else None,
        left=Beginning(row.bytes, row.sha256) if row.state == "failed" and row.sha256 else None,
        error=_LOST if is_lost else row.error,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
