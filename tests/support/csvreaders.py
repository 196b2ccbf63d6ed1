"""Programs that read CSV, each in its own way and with as few options as it can do with."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from support.node import run_node

Rows = list[dict[str, str | None]]

PACKAGES = ("papaparse@5.7.1", "csv-parse@7.0.3")
_PAPAPARSE = """
const Papa = require("papaparse");
// To it the last line feed begins one more row; to skip empty ones would skip empty cells too.
const text = require("fs").readFileSync(process.argv[1], "utf8").replace(/\\n$/, "");
const { data, errors } = Papa.parse(text, { header: true });
const wrong = errors.filter((error) => error.type !== "Delimiter"); // one column has none
if (wrong.length) throw new Error(JSON.stringify(wrong));
process.stdout.write(JSON.stringify(data));
"""
_CSV_PARSE = """
const { parse } = require("csv-parse/sync");
const bytes = require("fs").readFileSync(process.argv[1]);
const cast = (value, { quoting }) => (value === "" && !quoting ? null : value);
process.stdout.write(JSON.stringify(parse(bytes, { columns: true, cast })));
"""


@dataclass(frozen=True)
class CsvReader:
    """A program that reads a file of CSV.

    Attributes:
        read: Takes the file, and the folder with the packages of npm.
        knows_null: Whether it tells NULL from an empty text.
    """

    read: Callable[[Path, Path], Rows]
    knows_null: bool


def _python(path: Path, _modules: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _polars(path: Path, _modules: Path) -> Rows:
    return pl.read_csv(path, infer_schema=False).to_dicts()


def _duckdb(path: Path, _modules: Path) -> Rows:
    found = duckdb.read_csv(
        str(path),
        all_varchar=True,
        header=True,
        sep=",",
        quotechar='"',
        escapechar='"',
        allow_quoted_nulls=False,
    )
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def _node(script: str) -> Callable[[Path, Path], Rows]:
    def read(path: Path, modules: Path) -> Rows:
        return list(json.loads(run_node(script, path, folder=modules)))

    return read


READERS = {
    "Python's csv": CsvReader(_python, knows_null=False),
    "polars": CsvReader(_polars, knows_null=True),
    "DuckDB": CsvReader(_duckdb, knows_null=True),
    "npm papaparse": CsvReader(_node(_PAPAPARSE), knows_null=False),
    "npm csv-parse": CsvReader(_node(_CSV_PARSE), knows_null=True),
}
