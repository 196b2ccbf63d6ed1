"""Pages of a long list, each with a cursor to the next.

A cursor is opaque to clients and holds the sort key of the last row, so that rows added
meanwhile neither repeat nor vanish.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from tasuki.core.errors import ValidationFailed

Item = TypeVar("Item")
Row = TypeVar("Row")

MAX_PAGE = 200


class Page(BaseModel, Generic[Item]):
    """Some items of a list, and where to go on."""

    items: list[Item]
    next: str | None = Field(description="Pass it as `cursor` for the next page; null at the end.")


Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Items on a page.")]


def write_cursor(key: object) -> str:
    """Return the cursor that continues after the row with this sort key."""
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def next_cursor(found: Sequence[Row], limit: int, key: Callable[[Row], object]) -> str | None:
    """Return the cursor that continues after a page, if there is more.

    Args:
        found: One row more than belong on the page, if there are so many.
        key: What the rows are in the order of.
    """
    return write_cursor(key(found[limit - 1])) if len(found) > limit else None


def read_cursor(cursor: str) -> str:
    """Return the sort key inside a cursor.

    Raises:
        ValidationFailed: It is not one of ours.
    """
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as exc:
        raise bad_cursor() from exc


def bad_cursor() -> ValidationFailed:
    """Return the error for a cursor that we did not make."""
    return ValidationFailed(
        "query.cursor: pass `next` of the page before, or leave it out",
        errors=[{"loc": ["query", "cursor"], "msg": "not a cursor of this list"}],
    )
