"""Which rows and columns somebody wants, read from a request and checked against a dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from tasuki.core.datasets import Dataset, Kind
from tasuki.core.errors import ValidationFailed

Operator = Literal["is", "from", "before"]

MOST_ROWS = 2**63 - 1
"""The largest limit: PostgreSQL's bigint."""

_Integer = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_READ: dict[Kind, TypeAdapter[Any]] = {
    "integer": TypeAdapter(_Integer),
    "number": TypeAdapter(Annotated[Decimal, Field(allow_inf_nan=False)]),
    "text": TypeAdapter(Annotated[str, Field(max_length=1_000, pattern="^[^\\x00]*$")]),
    "boolean": TypeAdapter(bool),
    "timestamp": TypeAdapter(AwareDatetime),
    "date": TypeAdapter(date),
    "uuid": TypeAdapter(UUID),
}
_HAS_RANGE: tuple[Kind, ...] = ("integer", "number", "timestamp", "date")
_MOST_VALUES = 100

Value = int | Decimal | str | bool | datetime | date | UUID


@dataclass(frozen=True, slots=True)
class Condition:
    """A column and what it must be: one of some values, or a bound."""

    column: str
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportQuery:
    """Rows of a dataset.

    Attributes:
        owner_id: Only the rows of this user; none: of everybody.
        sort: Columns, each with whether it is descending.
    """

    dataset: Dataset
    columns: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    owner_id: int | None = None
    limit: int | None = None


def read_query(
    dataset: Dataset,
    *,
    columns: Sequence[str] = (),
    sort: Sequence[str] = (),
    filters: Mapping[str, Sequence[str]],
    limit: int | None = None,
    owner_id: int | None = None,
) -> ExportQuery:
    """Return what a request asks for.

    Args:
        columns: Names, in the order of the export; none: the dataset's usual ones.
        sort: Names; one with ``-`` before it is descending.
        filters: Values by filter, as texts.
        owner_id: Only the rows of this user; none: of everybody.

    Raises:
        ValidationFailed: A name is not allowed, or a value is none; the message lists what is.
    """
    chosen = tuple(dict.fromkeys(columns)) or dataset.columns_first or tuple(dataset.columns)
    _check_names("columns", chosen, tuple(dataset.columns))
    wanted = tuple(sort) or dataset.sort[:1]
    _check_names("sort", [name.removeprefix("-") for name in wanted], dataset.sort)
    allowed = filter_names(dataset)
    _check_names("filter", filters, tuple(allowed))
    return ExportQuery(
        dataset=dataset,
        columns=chosen,
        conditions=tuple(
            _condition(dataset, name, *allowed[name], values) for name, values in filters.items()
        ),
        sort=tuple((name.removeprefix("-"), name.startswith("-")) for name in wanted),
        limit=limit,
        owner_id=owner_id,
    )


def asked(query: ExportQuery) -> dict[str, Any]:
    """Return what a query asks for, as JSON, for the record; `read_again` reads it."""
    return {
        "columns": list(query.columns),
        "filters": [
            asdict(one) | {"values": [str(v) for v in one.values]} for one in query.conditions
        ],
        "sort": [f"-{name}" if is_descending else name for name, is_descending in query.sort],
        "owner_id": query.owner_id,
        "limit": query.limit,
    }


def read_again(dataset: Dataset, record: Mapping[str, Any]) -> ExportQuery:
    """Return the query whose `asked` this is.

    Raises:
        ValidationFailed: The dataset has changed since, and does not allow it any more.
    """
    names = {bound: name for name, bound in filter_names(dataset).items()}
    return read_query(
        dataset,
        columns=record["columns"],
        sort=record["sort"],
        filters={
            names.get((one["column"], one["operator"]), one["column"]): one["values"]
            for one in record["filters"]
        },
        limit=record["limit"],
        owner_id=record["owner_id"],
    )


def filter_names(dataset: Dataset) -> dict[str, tuple[str, Operator]]:
    """Return the names of a dataset's filters, each with its column and what it asks of it."""
    found: dict[str, tuple[str, Operator]] = {}
    for column in dataset.filters:
        found[column] = (column, "is")
        if dataset.columns[column] in _HAS_RANGE:
            found[f"{column}_from"] = (column, "from")
            found[f"{column}_before"] = (column, "before")
    return found


def _check_names(
    what: str, names: Sequence[str] | Mapping[str, Any], allowed: Sequence[str]
) -> None:
    for name in names:
        if name not in allowed:
            message = f"{name[:60]!r} is not allowed; allowed: {', '.join(allowed) or 'none'}"
            raise ValidationFailed(
                f"{what}: {message}", errors=[{"loc": ["query", what], "msg": message}]
            )


def _condition(
    dataset: Dataset, name: str, column: str, operator: Operator, texts: Sequence[str]
) -> Condition:
    kind = dataset.columns[column]
    most = _MOST_VALUES if operator == "is" else 1
    if len(texts) > most:
        raise _bad_value(name, f"at most {most} values")
    try:
        values = tuple(_READ[kind].validate_python(text) for text in texts)
    except ValidationError as exc:
        raise _bad_value(name, str(exc.errors()[0]["msg"])) from exc
    return Condition(column, operator, values)


def _bad_value(name: str, message: str) -> ValidationFailed:
    return ValidationFailed(
        f"{name}: {message}", errors=[{"loc": ["query", name], "msg": message}]
    )
