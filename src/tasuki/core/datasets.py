"""What can be exported: rows that somebody declares, with the rights to them.

A dataset is a ``select``. The names and types of its columns are those of the export; what may be
filtered by and sorted by is said by name, so that nothing of a request ever becomes SQL.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

Kind = Literal["integer", "number", "text", "boolean", "timestamp", "date", "uuid", "json", "list"]
"""What a column holds, whatever the database calls it."""

_KINDS: dict[str, Kind] = {
    "ARRAY": "list",
    "BIGINT": "integer",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "DATETIME": "timestamp",
    "DOUBLE": "number",
    "FLOAT": "number",
    "INTEGER": "integer",
    "JSON": "json",
    "JSONB": "json",
    "NUMERIC": "number",
    "SMALLINT": "integer",
    "STRING": "text",
    "TEXT": "text",
    "UUID": "uuid",
    "VARCHAR": "text",
}


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Rows that can be exported. Declare it as a global of a module, as tasks are.

    ::

        ORDERS = Dataset(name="orders", rows=select(Order.id, Order.total, Order.user_id),
                         owner="user_id", filters=("total",), sort=("id",))

    Without a scope and an owner only admins may export it.

    Attributes:
        name: Letters, digits, ``_`` and ``-``; not ``runs``, which is the address of runs.
        rows: A SQLAlchemy ``select``; each of its columns has a name of its own.
        scope: Who has this scope may export all rows.
        owner: The column with the number of the user a row belongs to. Everybody may export the
            rows that are theirs.
        filters: Columns that a request may filter by: ``kind=login``, and for numbers and times
            also ``at_from`` (that or more) and ``at_before`` (less).
        sort: Columns that a request may sort by; the first one is the order if it asks for none.
        columns_first: The columns of an export that names none; default: all.
    """

    name: str
    rows: Any
    scope: str | None = None
    owner: str | None = None
    filters: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    columns_first: tuple[str, ...] = ()
    about: str = field(default="")

    def __post_init__(self) -> None:
        """Refuse a declaration that could not be exported.

        Raises:
            ValueError: It names a column that is none of its own, its own name is none, or two
                columns are called the same.
            TypeError: A column is of a type that no export knows.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", self.name) or self.name == "runs":
            msg = f"a dataset cannot be named {self.name!r}"
            raise ValueError(msg)
        counted = Counter(column.name for column in self.rows.selected_columns)
        twice = sorted(name for name, count in counted.items() if count > 1)
        if twice:
            msg = f"dataset {self.name!r} has two columns {', '.join(twice)}; label one"
            raise ValueError(msg)
        named = (*self.filters, *self.sort, *self.columns_first, *filter(None, [self.owner]))
        unknown = sorted(set(named) - self.columns.keys())
        if unknown:
            msg = f"dataset {self.name!r} has no column {', '.join(unknown)}"
            raise ValueError(msg)

    @cached_property
    def columns(self) -> dict[str, Kind]:
        """The columns and what they hold, in their order.

        Raises:
            TypeError: One is of a type that no export knows.
        """
        return {column.name: _kind(column, self.name) for column in self.rows.selected_columns}


class Datasets:
    """All declared datasets by name."""

    def __init__(self, *datasets: Dataset) -> None:
        self._by_name: dict[str, Dataset] = {}
        for dataset in datasets:
            if self._by_name.setdefault(dataset.name, dataset) is not dataset:
                msg = f"two datasets are named {dataset.name!r}"
                raise ValueError(msg)

    def __iter__(self) -> Iterator[Dataset]:
        """Go through them in the order of their names."""
        return iter([self._by_name[name] for name in sorted(self._by_name)])

    @property
    def by_name(self) -> Mapping[str, Dataset]:
        """The datasets by their names."""
        return self._by_name


def _kind(column: Any, dataset: str) -> Kind:
    for kind in type(column.type).__mro__:
        found = _KINDS.get(getattr(kind, "__visit_name__", "").upper())
        if found is not None:
            return found
    msg = f"dataset {dataset!r}: no export knows the type {column.type!r} of {column.name}"
    raise TypeError(msg)
