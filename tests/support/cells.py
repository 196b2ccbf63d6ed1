"""Datasets of a project's own: cells that break careless writers, and rows that take their time.

Loaded by web and workers as any module of ``TASUKI_TASKS__MODULES``.
"""

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    Uuid,
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
