"""Datasets of a project's own: cells that break careless writers, and rows that take their time.

Loaded by web and workers as any module of ``TASUKI_TASKS__MODULES``.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Float,
    Function,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    Uuid,
    case,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from tasuki.core.datasets import Dataset

CELLS = Table(
    "cells",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("owner_id", Integer),
    Column("label", String(10_000_000)),
    Column("note", Text),
    Column("at", DateTime(timezone=True)),
    Column("day", Date),
    Column("amount", Numeric),
    Column("ratio", Float(53)),
    Column("is_on", Boolean),
    Column("code", Uuid),
    Column("loose", JSON),
    Column("strict", JSONB),
    Column("tags", ARRAY(Text)),
)

NASTY = Dataset(name="cells", rows=select(CELLS), scope="export:cells", sort=("id",))
OWN = Dataset(name="own-cells", rows=select(CELLS), owner="owner_id", filters=("id",))
SLOW = Dataset(
    name="slow",
    rows=select(literal_column("(SELECT 1 FROM pg_sleep(60))", Integer).label("one")),
    scope="export:cells",
)

_NUMBERS = select(func.generate_series(1, 100_000, type_=Integer).label("n")).subquery()
_N: ColumnElement[int] = _NUMBERS.c.n


def _text_of(number: ColumnElement[int]) -> ColumnElement[str]:
    first, second = func.md5(cast(number, Text)), func.md5(cast(-number, Text))
    return func.concat(first, ", 山田 太郎 ", second, type_=Text).label("text")


def _waiting_at(number: int, call: Function[Any]) -> ColumnElement[int]:
    """Return a column that calls something slow in one row, once."""
    called = select(func.count()).select_from(call.alias("call")).scalar_subquery()
    return case((_N == number, called), else_=0).label("waited")  # noqa: SIM300  # a column


_TEXT = _text_of(_N)

BIG = Dataset(
    name="big",
    rows=select(_N.label("n"), _TEXT),
    scope="export:cells",
    filters=("n",),
    sort=("n",),
)
STUCK = Dataset(
    name="stuck",
    about="Comes to nearly a third of its rows, and waits there.",
    rows=select(
        _N.label("n"),
        _TEXT,
        _waiting_at(30_000, func.pg_sleep(120)),
    ),
    scope="export:cells",
)

_NEVER_ENDING = select(func.generate_series(1, 10**9, type_=Integer).label("n")).subquery()

ENDLESS = Dataset(
    name="endless",
    rows=select(_NEVER_ENDING.c.n, _text_of(_NEVER_ENDING.c.n)),
    scope="export:cells",
)
GATE = 7_001
"""The advisory lock that `GATED` waits for."""

GATED = Dataset(
    name="gated",
    about="Comes to a tenth of its rows, and waits there for whoever holds the gate.",
    rows=select(
        _N.label("n"),
        _TEXT,
        literal_column("(SELECT count(*) FROM users)", Integer).label("people"),
        _waiting_at(10_000, func.pg_advisory_xact_lock_shared(GATE)),
    ),
    scope="export:cells",
)
