"""Exports over HTTP: rows as a download, as a task, and the file of an earlier download."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from tasuki.core.datasets import Dataset
from tasuki.exports.forms import Encoding, Form, Format, Profile, choose_encoding
from tasuki.exports.preferred import Preferred, order_told
from tasuki.exports.query import MOST_ROWS, ExportQuery, asked, read_query
from tasuki.exports.response import ExportResponse, FileResponse
from tasuki.exports.schemas import DatasetOut, DatasetsOut, ExportOrder, ExportRunOut, FileName
from tasuki.exports.service import ExportService, owned_by, said_of, sees_all
from tasuki.exports.tasks import run_export
from tasuki.tasks import TaskService
from tasuki.tasks.callers import read_id
from tasuki.tasks.ordering import Orders
from tasuki.tasks.schemas import TaskOut
from tasuki.web.audit import Auditor
from tasuki.web.depends import CurrentUser, DbSession, IdempotencyKey, provided
from tasuki.web.late import LateResponse, LateRoute
from tasuki.web.paging import Cursor, Limit, Page, next_cursor
from tasuki.web.principal import Principal

router = APIRouter(prefix="/exports", tags=["exports"], route_class=LateRoute)

_RESERVED = frozenset(
    {"format", "profile", "columns", "sort", "limit", "filename", "encoding", "end", "mail_me"}
)
_ENCODING = "Instead of what `Accept-Encoding` asks for, which scripts in a browser cannot send."
_FILE = {
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
        "application/x-ndjson": {"schema": {"type": "string"}},
    },
    "description": "The rows. A transfer that breaks off is not whole.",
}

Exports = Annotated[ExportService, provided(ExportService)]
Audit = Annotated[Auditor, provided(Auditor)]
AcceptEncoding = Annotated[str, Header()]


@router.get("")
async def list_datasets(user: CurrentUser, exports: Exports) -> DatasetsOut:
    """List what you may export, with columns, filters and orders."""
    items = [DatasetOut.of(one, sees_all=sees_all(user, one)) for one in exports.of_user(user)]
    return DatasetsOut(items=items)


@router.get("/runs")
async def list_runs(
    user: CurrentUser,
    session: DbSession,
    exports: Exports,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ExportRunOut]:
    """List your downloads that can still be fetched again, newest first."""
    found = await exports.runs(session, user, before=read_id(cursor), limit=limit + 1)
    more = next_cursor(found, limit, lambda run: run.id)
    return Page(items=[ExportRunOut.of(run) for run in found[:limit]], next=more)


@router.get("/runs/{run_id}")
async def get_run(
    user: CurrentUser, session: DbSession, exports: Exports, run_id: UUID
) -> ExportRunOut:
    """Tell whether a download is whole, and what its file must be."""
    return ExportRunOut.of(await exports.run(session, run_id, user=user))


@router.head("/runs/{run_id}/file", include_in_schema=False)
@router.get("/runs/{run_id}/file", responses={200: _FILE}, response_class=Response)
async def get_file(user: CurrentUser, exports: Exports, run_id: UUID) -> Response:
    """Fetch the file of a download again, or what is missing of it (with `Range`).

    Where its client left before all was written, or the database went away, it is made again; 404
    if it would begin otherwise by now. What takes longer is answered with 503 and `Retry-After`.
    """
    return LateResponse(FileResponse(exports, user, run_id))


@router.get("/{dataset}", responses={200: _FILE, 202: {"model": TaskOut}}, response_class=Response)
async def export(
    request: Request,
    user: CurrentUser,
    session: DbSession,
    exports: Exports,
    audit: Audit,
    preferred: Preferred,
    dataset: str,
    format: Format = "csv",  # noqa: A002  # as in the address
    profile: Profile = "data",
    columns: Annotated[list[str] | None, Query(description="Names; also with commas.")] = None,
    sort: Annotated[list[str] | None, Query(description="Names; `-` before: descending.")] = None,
    limit: Annotated[int | None, Query(ge=1, le=MOST_ROWS)] = None,
    filename: Annotated[FileName | None, Query(description="Without its ending.")] = None,
    encoding: Annotated[Encoding | None, Query(description=_ENCODING)] = None,
    end: Annotated[
        bool, Query(description="For ndjson: a last line says that it is one.")
    ] = False,
    accept_encoding: AcceptEncoding = "",
) -> Response:
    """Download rows. All other parameters are filters of the dataset.

    `X-Export-Id` names the export: it tells whether all is there, and has the file for an hour.
    """
    declared = exports.dataset(dataset, user)
    names = [name for name in request.query_params if name not in _RESERVED]
    filters = {name: request.query_params.getlist(name) for name in names}
    query = _query(
        declared,
        user,
        columns=_split(columns),
        sort=_split(sort),
        filters=filters,
        limit=limit,
    )
    encoding = encoding or choose_encoding(accept_encoding)
    form = Form(format=format, profile=profile, encoding=encoding, has_end=end)
    if preferred.is_task:
        return await preferred.order(_args_of(query, form, filters, filename))
    await _write_down(audit, session, user, query)
    name = form.file_name(filename or dataset)
    return LateResponse(ExportResponse(exports, user, query, form, name=name))


@router.post(
    "/{dataset}",
    status_code=HTTPStatus.ACCEPTED,
    responses={200: {"model": TaskOut, "description": "Ordered before, with this key."}},
)
async def order_export(
    user: CurrentUser,
    session: DbSession,
    exports: Exports,
    tasks: Annotated[TaskService, provided(TaskService)],
    orders: Orders,
    dataset: str,
    order: ExportOrder,
    response: Response,
    key: IdempotencyKey = None,
) -> TaskOut:
    """Order the same as a task: watch it at `Location`, its file stays with it."""
    declared = exports.dataset(dataset, user)
    filters = {
        name: [value] if isinstance(value, str) else value for name, value in order.filters.items()
    }
    query = _query(
        declared,
        user,
        columns=order.columns,
        sort=order.sort,
        filters=filters,
        limit=order.limit,
    )
    args = _task_args(query, filters, **order.model_dump(exclude={"mail_me", "filters"}))
    task = run_export.having(owner_id=user.id, idempotency_key=key)
    handle = await order_told(orders, task, args, mail_me=order.mail_me)
    if not handle.is_new:
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = f"/api/v1/tasks/{handle.id}"
    return TaskOut.of(await tasks.get(session, handle.id, owner_id=user.id))


def _task_args(query: ExportQuery, filters: dict[str, list[str]], **others: Any) -> dict[str, Any]:
    """Return the arguments of an export as a task; whose rows was decided, and is no filter."""
    return others | {
        "dataset": query.dataset.name,
        "rows_of": query.owner_id,
        "filters": {name: given for name, given in filters.items() if name != query.dataset.owner},
    }


def _args_of(
    query: ExportQuery, form: Form, filters: dict[str, list[str]], filename: str | None
) -> dict[str, Any]:
    """Return the arguments of a download that is preferred as a task."""
    said = asked(query)
    return _task_args(
        query,
        filters,
        format=form.format,
        profile=form.profile,
        columns=said["columns"],
        sort=said["sort"],
        limit=said["limit"],
        filename=filename,
    )


guide = APIRouter(tags=["exports"], route_class=LateRoute)
"""The two addresses that people know from the guide."""


@guide.get("/export/users-csv", responses={200: _FILE}, response_class=Response)
async def export_users_csv(
    user: CurrentUser,
    session: DbSession,
    exports: Exports,
    audit: Audit,
    profile: Profile = "data",
    accept_encoding: AcceptEncoding = "",
) -> Response:
    """Download all users as CSV: `id,name,email,created_at`; needs the scope `export:pii`."""
    form = Form(format="csv", profile=profile, encoding=choose_encoding(accept_encoding))
    query = _all_users(exports, user, ("id", "name", "email", "created_at"))
    await _write_down(audit, session, user, query)
    return LateResponse(ExportResponse(exports, user, query, form, name="users.csv"))


@guide.get("/stream/users", responses={200: _FILE}, response_class=Response)
async def stream_users(
    user: CurrentUser,
    session: DbSession,
    exports: Exports,
    audit: Audit,
    accept_encoding: AcceptEncoding = "",
) -> Response:
    """Stream all users as `{"users": [{id, username, name, email, created_at}, …]}`."""
    form = Form(format="json", member="users", encoding=choose_encoding(accept_encoding))
    query = _all_users(exports, user, ("id", "username", "name", "email", "created_at"))
    await _write_down(audit, session, user, query)
    return LateResponse(ExportResponse(exports, user, query, form, name=None))


def _all_users(exports: ExportService, user: Principal, columns: tuple[str, ...]) -> ExportQuery:
    return _query(exports.dataset("users", user), user, columns=columns, filters={})


def _query(
    dataset: Dataset,
    user: Principal,
    *,
    columns: list[str] | tuple[str, ...],
    filters: dict[str, list[str]],
    sort: list[str] | None = None,
    limit: int | None = None,
) -> ExportQuery:
    """Return what a user asks for, as far as it is theirs."""
    # Whose rows is no filter like others: it decides about the right to them.
    others = {name: values for name, values in filters.items() if name != dataset.owner}
    asked_owner = filters.get(dataset.owner, []) if dataset.owner else []
    return read_query(
        dataset,
        columns=columns,
        sort=sort or (),
        filters=others,
        limit=limit,
        owner_id=owned_by(dataset, user, asked_owner),
    )


async def _write_down(
    audit: Auditor, session: DbSession, user: Principal, query: ExportQuery
) -> None:
    """Note who exported other people's rows."""
    if query.owner_id != user.id:
        await audit.note(session, user, "export", said_of(query))


def _split(names: list[str] | None) -> list[str]:
    return [name for text in names or () for name in text.split(",") if name]
