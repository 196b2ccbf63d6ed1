"""Cells that careless writers and readers of CSV and JSON get wrong, and what they must be."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from support.cells import CELLS

TEXTS: tuple[str | None, ...] = (
    None,
    "",
    " ",
    " space around ",
    '"',
    '""',
    'a "quoted" word',
    '"whole"',
    "'",
    ",",
    "a,b",
    ";",
    "\t",
    "tab\tbetween",
    "\n",
    "\r",
    "\r\n",
    "line\nfeed",
    "carriage\rreturn",
    "both\r\nof them",
    "ends with a line feed\n",
    'quote "and\nbreak, and comma"',
    "\\.",
    "\\N",
    "\\",
    "\\\\n",
    'back\\"slash',
    "NULL",
    "null",
    "nan",
    "true",
    "t",
    "007",
    "1e5",
    "+81 3-1234-5678",
    "2024-01-01",
    "#comment",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "＝1+1",
    "＋1",
    "－1",
    "＠A1",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "山田 太郎",
    "日本語、全角　空白",
    "か\u3099",  # a combining mark, which is not the same as the one character
    "e\u0301\u0327",
    "😀👩‍👩‍👧‍👦🇯🇵",
    "𠮷野家",
    "שלום עולם",
    "\u202eright to left\u202c",
    "مرحبا",
    "line\u2028separator",
    "paragraph\u2029separator",
    "next\u0085line",
    "vertical\x0btab, form\x0cfeed",
    "file\x1cgroup\x1drecord\x1eunit\x1f",
    "\x01\x02\x7f",
    "\ufeffmark at the start",
    "no-break\u00a0space",
    "zero\u200bwidth",
    "<script>alert(1)</script>",
    "%00 &amp; \\u0041",
    "あ" * 120_000,  # longer than the pieces that are sent, and what Python's csv takes as it is
)
_TIMES = (
    datetime(2024, 2, 29, 12, 34, 56, 123456, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "infinity",
    "-infinity",
    None,
)
_DAYS = (date(2024, 2, 29), date(1, 1, 1), date(9999, 12, 31), "infinity", None)
_AMOUNTS = ("0", "-5", "0.10", "1000000000000000000000.000000000000000001", "-0.00000001", None)
_RATIOS = (0.1, -2.5, 1e300, 5e-324, 0.0, 1 / 3, None)
_LOOSE = (
    '{"a": 1}',
    '{\n  "pretty":\r\n  ["with", "breaks"]\n}',
    '"a text, with a comma and a \\"quote\\""',
    '{"nul": "\\u0000", "break": "\\n", "separator": "\u2028"}',
    '{"twice": 1, "twice": 2}',
    "1e400",
    "null",
    "[]",
    None,
)
_STRICT = ('{"b": [1, {"c": "山\\n田"}]}', '"text"', "-1.50", "true", "null", "{}", None)
_TAGS: tuple[list[str | None] | None, ...] = (
    ["a", "b"],
    [],
    ["comma,", 'quote"', "line\nbreak", "NULL", "", "{}", "\\"],
    [None],
    None,
)


def rows() -> Iterator[dict[str, Any]]:
    """Yield the rows as Python has them; JSON as its text, so that nothing of it is lost."""
    for number, text in enumerate(TEXTS):
        amount = _AMOUNTS[number % len(_AMOUNTS)]
        yield {
            "id": number,
            "owner_id": 1 if number % 2 else None,
            "label": text,
            "note": TEXTS[-1 - number] if len(TEXTS[-1 - number] or "") < 1_000 else "",
            "at": _TIMES[number % len(_TIMES)],
            "day": _DAYS[number % len(_DAYS)],
            "amount": amount and Decimal(amount),
            "ratio": _RATIOS[number % len(_RATIOS)],
            "is_on": (True, False, None)[number % 3],
            "code": UUID(int=number << 100) if number % 5 else None,
            "loose": _LOOSE[number % len(_LOOSE)],
            "strict": _STRICT[number % len(_STRICT)],
            "tags": _TAGS[number % len(_TAGS)],
        }


async def fill(database_url: str) -> None:
    """Make the table, and put the rows into it."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            str(CreateTable(CELLS).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
        )
        # As text, since the driver has meanings of its own for the first and the last day.
        casts = {"loose": "json", "strict": "jsonb", "at": "timestamptz", "day": "date"}
        places = [
            f"${place}::text::{casts[column.name]}" if column.name in casts else f"${place}"
            for place, column in enumerate(CELLS.c, 1)
        ]
        values = [
            [cell(row, name) if name in casts else row[name] for name in row] for row in rows()
        ]
        insert = f"INSERT INTO cells VALUES ({', '.join(places)})"  # noqa: S608  # of constants
        await connection.executemany(insert, values)
    finally:
        await connection.close()


def time_text(at: datetime) -> str:
    """Return a time as RFC 3339 has it."""
    return f"{at:%m-%dT%H:%M:%S.%f}Z".join([f"{at.year:04}-", ""])


def cell(row: dict[str, Any], name: str) -> str | None:
    """Return what must stand in a cell of CSV, for columns whose text is no matter of taste."""
    value = row[name]
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if not isinstance(value, Decimal) else f"{value:f}"


_MOST = 1.7976931348623157e308  # what has no infinity has this

TEXTUAL = ("id", "owner_id", "label", "note", "at", "day", "amount", "is_on", "code", "loose")
"""Columns whose cell is known to the last character; the others are compared as values."""


def check(row: dict[str, Any], found: dict[str, str | None], *, knows_null: bool) -> None:
    """Compare a row with what a reader of CSV made of it.

    Args:
        knows_null: Whether the reader tells NULL from an empty text.
    """
    for name in TEXTUAL:
        wanted = cell(row, name)
        if not knows_null:
            wanted = wanted or ""
        assert found[name] == wanted, (row["id"], name)
    empty = None if knows_null else ""
    for name, read in (("ratio", float), ("strict", json.loads), ("tags", json.loads)):
        wanted, text = row[name], found[name]
        if wanted is None:
            assert text == empty, (row["id"], name)
        else:
            assert read(text or "") == (json.loads(wanted) if name == "strict" else wanted)


def same(found: Any, wanted: Any, *, are_numbers_exact: bool = True) -> bool:
    """Whether two values of JSON are equal, numbers to the last digit or as a double has them."""
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(
            same(found[name], wanted[name], are_numbers_exact=are_numbers_exact) for name in wanted
        )
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(
            same(one, other, are_numbers_exact=are_numbers_exact)
            for one, other in zip(found, wanted, strict=True)
        )
    if isinstance(wanted, float) or (isinstance(wanted, Decimal) and not are_numbers_exact):
        return min(float(found), _MOST) == min(float(wanted), _MOST)
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)


def value(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as a reader of JSON must have it."""
    found = {name: row[name] for name in row}
    for name in ("loose", "strict"):
        found[name] = row[name] and json.loads(row[name], parse_float=Decimal)
    for name in ("at", "day", "code"):
        found[name] = cell(row, name)
    return found
