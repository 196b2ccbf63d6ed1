"""Every cell is read back as it was, by the programs that people open exports with.

One system for all tests of this module; its table has one row for each nasty text.
"""

import csv
import gzip
import io
import json
import shutil
import subprocess
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import ijson
import polars as pl
import pytest
import pytest_asyncio
from backports import zstd

from support import corpus
from support.client import Client
from support.csvreaders import PACKAGES, READERS
from support.live import live_settings, running_live
from support.node import install_packages, missing, run_node
from support.servers import Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODULES = ("support.jobs", "support.cells")
ROWS = list(corpus.rows())
URL = "/api/v1/exports/cells"
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "zstd": zstd.decompress,
}
NODE_LINES = """
const input = require("fs").createReadStream(process.argv[1]);
const lines = require("readline").createInterface({ input });
const found = [];
lines.on("line", (line) => found.push(JSON.parse(line)));
const finite = (_, value) => (value === Infinity ? Number.MAX_VALUE : value);
lines.on("close", () => process.stdout.write(JSON.stringify(found, finite)));
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Client]:
    """Somebody who may export the nasty cells."""
    database_url = await servers.create_database()
    await corpus.fill(database_url)
    folder = tmp_path_factory.mktemp("cells")
    settings = live_settings(database_url, servers.redis_url, folder, modules=MODULES)
    async with running_live(settings) as live:
        yield await live.user("seller", scopes=("export:cells",))
    await servers.drop_database(database_url)


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of npm."""
    folder = tmp_path_factory.mktemp("modules")
    install_packages(folder, PACKAGES)
    return folder


async def fetched(client: Client, path: Path, query: str) -> Path:
    """Write an export into a file, as it was sent."""
    async with client.stream("GET", f"{URL}?{query}") as answer:
        assert answer.status_code == 200, await answer.aread()
        path.write_bytes(b"".join([part async for part in answer.aiter_raw()]))
    return path


@pytest.mark.parametrize("name", READERS)
async def test_csv_is_read_back(client: Client, tmp_path: Path, modules: Path, name: str) -> None:
    """All columns at once, with as few options as the reader can do with."""
    path = await fetched(client, tmp_path / "cells.csv", "encoding=identity")
    found = READERS[name].read(path, modules)

    assert len(found) == len(ROWS)
    for row, back in zip(ROWS, found, strict=True):
        corpus.check(row, back, knows_null=READERS[name].knows_null)


@pytest.mark.parametrize("column", ["label", "note", "amount", "is_on", "strict"])
@pytest.mark.parametrize("name", READERS)
async def test_a_file_of_one_column_has_all_rows(
    client: Client, tmp_path: Path, modules: Path, name: str, column: str
) -> None:
    """An empty line is no row to most readers, so nothing may be one."""
    query = f"encoding=identity&columns={column}&limit=60"
    path = await fetched(client, tmp_path / "cells.csv", query)
    found = [row[column] for row in READERS[name].read(path, modules)]

    wanted = [corpus.cell(row, column) or "" for row in ROWS[:60]]
    if column == "strict":
        assert [text and json.loads(text) for text in found] == [
            text and json.loads(text) for text in wanted
        ]
    else:
        assert found == wanted


@pytest.mark.parametrize("form", ["csv", "csv&profile=excel", "json", "ndjson"])
async def test_compressed_it_is_the_same(client: Client, tmp_path: Path, form: str) -> None:
    """For each form, and for programs that unpack by themselves."""
    sent = {
        encoding: await fetched(client, tmp_path / encoding, f"format={form}&encoding={encoding}")
        for encoding in UNPACK
    }

    found = {encoding: UNPACK[encoding](path.read_bytes()) for encoding, path in sent.items()}
    assert found["gzip"] == found["zstd"] == found["identity"]
    assert sent["zstd"].stat().st_size < sent["gzip"].stat().st_size < len(found["identity"]) / 5


@pytest.mark.parametrize("ending", ["gz", "zst"])
async def test_packed_files_are_opened_as_they_are(
    client: Client, tmp_path: Path, ending: str
) -> None:
    """DuckDB and polars know them by their ending or their first bytes."""
    encoding = {"gz": "gzip", "zst": "zstd"}[ending]
    path = await fetched(client, tmp_path / f"cells.csv.{ending}", f"encoding={encoding}")

    for name in ("DuckDB", "polars"):
        found = READERS[name].read(path, tmp_path)
        for row, back in zip(ROWS, found, strict=True):
            corpus.check(row, back, knows_null=True)


def _jq(path: Path) -> list[dict[str, Any]]:
    program = shutil.which("jq")
    if program is None:
        missing("there is no jq on this machine")
    words = [str(program), "-cs", "flatten", str(path)]  # as well for an array as for lines
    done = subprocess.run(words, capture_output=True, timeout=60, check=True)
    return list(json.loads(done.stdout, parse_float=Decimal))


def _ijson(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        return list(ijson.items(file, "item"))


def _lines(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    return [json.loads(line, parse_float=Decimal) for line in text.splitlines()]


async def test_an_array_is_read_back(client: Client, tmp_path: Path) -> None:
    """Piece by piece or at once; only jq has fewer digits than PostgreSQL."""
    path = await fetched(client, tmp_path / "cells.json", "format=json&encoding=identity")
    wanted = [corpus.value(row) for row in ROWS]

    assert corpus.same(json.loads(path.read_bytes(), parse_float=Decimal), wanted)
    assert corpus.same(_ijson(path), wanted)
    assert corpus.same(_jq(path), wanted, are_numbers_exact=False)


async def test_an_object_a_line_is_read_back(
    client: Client, tmp_path: Path, modules: Path
) -> None:
    """Also where a line ends at more characters than a line feed."""
    path = await fetched(client, tmp_path / "cells.ndjson", "format=ndjson&encoding=identity")
    wanted = [corpus.value(row) for row in ROWS]
    by_node = json.loads(run_node(NODE_LINES, path, folder=modules))

    assert corpus.same(_lines(path), wanted)
    assert corpus.same(_jq(path), wanted, are_numbers_exact=False)
    assert corpus.same(by_node, wanted, are_numbers_exact=False)


@pytest.mark.parametrize("form", ["json", "ndjson"])
async def test_json_is_read_into_tables(client: Client, tmp_path: Path, form: str) -> None:
    """By DuckDB and polars, with the texts as they were."""
    query = f"format={form}&encoding=identity&columns=id,label,note"
    path = await fetched(client, tmp_path / f"cells.{form}", query)
    wanted = [(row["id"], row["label"], row["note"]) for row in ROWS]

    assert duckdb.read_json(str(path)).fetchall() == wanted
    read = pl.read_json if form == "json" else pl.read_ndjson
    assert read(path).rows() == wanted


async def test_for_spreadsheets_texts_are_guarded_and_numbers_are_not(
    client: Client, tmp_path: Path
) -> None:
    """A cell that begins like a formula is run by who opens the file; -5 is a number to add up."""
    path = await fetched(client, tmp_path / "cells.csv", "profile=excel&encoding=identity")
    content = path.read_bytes()
    found = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))

    assert content.startswith(b"\xef\xbb\xbfid,")
    assert len(found) == len(ROWS)
    for row, back in zip(ROWS, found, strict=True):
        text = row["label"] or ""
        is_formula = text[:1] in {*"=+-@\t\r\n", *"＝＋－＠"} and text != ""
        assert back["label"] == (f"'{text}" if is_formula else text)
        assert back["amount"] == (corpus.cell(row, "amount") or "")
        assert back["loose"] == (row["loose"] or "")
        if isinstance(row["at"], datetime):
            assert back["at"] == corpus.time_text(row["at"])[:19].replace("T", " ")
