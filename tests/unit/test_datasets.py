"""What columns a dataset may have."""

from typing import Any

import pytest
from sqlalchemy import Enum, Float, Interval, String, Uuid, column, select
from sqlalchemy.dialects.postgresql import CITEXT, TIMESTAMP

from tasuki.core.datasets import Dataset


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (String(50), "text"),
        (Enum("a", "b", name="letters"), "text"),
        (CITEXT(), "text"),
        (Float(), "number"),
        (TIMESTAMP(timezone=True), "timestamp"),
        (Uuid(), "uuid"),
    ],
)
def test_the_columns_of_ones_own_tables_are_known(kind: Any, told: str) -> None:
    """Whoever declares rows of his own has used the types that SQLAlchemy's manual shows."""
    dataset = Dataset(name="orders", rows=select(column("x", kind)))

    assert dataset.columns == {"x": told}


def test_a_column_that_no_export_knows_is_named() -> None:
    """At the start, where it is mended; not when the first user exports."""
    with pytest.raises(TypeError, match=r"'orders'.*Interval.* of x"):
        Dataset(name="orders", rows=select(column("x", Interval())))
