"""Exports over HTTP: whose rows, in which form, and that a file is whole or visibly broken."""

import asyncio
import base64
import csv
import gzip
import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from backports import zstd

from support.client import Client
from support.live import Live

PEOPLE = 3_000


async def add_people(live: Live, count: int = PEOPLE) -> None:
    """Fill the table of users."""
    async with live.database.driver() as database:
        await database.execute(
            """
            INSERT INTO users (username, email, name)
            SELECT 'person' || n, 'person' || n || '@example.org',
                   CASE WHEN n % 3 = 0 THEN '' WHEN n % 3 = 1 THEN '山田 太郎' ELSE 'A, "B"' END
            FROM generate_series(1, $1::int) AS n
            """,
            count,
        )


async def reader(live: Live, *scopes: str) -> Client:
    """Return somebody who may export users."""
    return await live.user("reader", scopes=scopes or ("export:pii",))


async def run_of(client: Client, answer: httpx.Response) -> dict[str, Any]:
    """Return the export that an answer was, once it has ended."""
    url = f"/api/v1/exports/runs/{answer.headers['x-export-id']}"
    run: dict[str, Any] = (await client.get(url)).json()
    async with asyncio.timeout(10):
        while run["state"] == "running":
            await asyncio.sleep(0.02)
            run = (await client.get(url)).json()
    return run


async def test_the_users_of_the_guide_come_as_csv(live: Live) -> None:
    """With the name that people see, and a record that says what the file must be."""
    await add_people(live)
    client = await reader(live)

    answer = await client.get("/api/v1/export/users-csv", headers={"Accept-Encoding": "identity"})
    run = await run_of(client, answer)

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.headers["content-type"].startswith("text/csv")
    assert list(rows[0]) == ["id", "name", "email", "created_at"]
    assert len(rows) == PEOPLE + 1
    assert {row["name"] for row in rows} >= {"山田 太郎", 'A, "B"', "person3", "reader"}
    assert rows[0]["created_at"].endswith("Z")
    assert (run["state"], run["rows"], run["bytes"]) == (
        "complete",
        PEOPLE + 1,
        len(answer.content),
    )
    assert run["sha256"] == hashlib.sha256(answer.content).hexdigest()


async def test_the_users_of_the_guide_come_as_json(live: Live) -> None:
    """One object, its rows streamed."""
    await add_people(live, 10)
    client = await reader(live)

    answer = await client.get("/api/v1/stream/users")

    users = answer.json()["users"]
    assert len(users) == 11
    assert list(users[0]) == ["id", "username", "name", "email", "created_at"]


@pytest.mark.parametrize("count", [0, 1, PEOPLE])
async def test_each_form_has_the_same_rows(live: Live, count: int) -> None:
    """An array, an object a line, and CSV; also when there is nothing."""
    await add_people(live, count)
    client = await reader(live)
    url = "/api/v1/exports/users?columns=id,username,name&role=user&id_before=1000000&sort=-id"

    as_csv = (await client.get(f"{url}&format=csv")).text
    as_json = (await client.get(f"{url}&format=json")).json()
    as_lines = (await client.get(f"{url}&format=ndjson")).text

    rows = list(csv.DictReader(io.StringIO(as_csv)))
    assert len(as_json) == count + 1
    assert [json.loads(line) for line in as_lines.splitlines()] == as_json
    assert [{**row, "id": int(row["id"])} for row in rows] == as_json
    assert [row["id"] for row in as_json] == sorted((row["id"] for row in as_json), reverse=True)


@pytest.mark.parametrize(("form", "text"), [("csv", "id\n"), ("json", "[]\n"), ("ndjson", "")])
async def test_no_rows_are_a_whole_file_too(live: Live, form: str, text: str) -> None:
    """Lines of objects are then no byte at all, and a program must not take that for a failure."""
    client = await reader(live)
    url = f"/api/v1/exports/users?columns=id&id_before=1&format={form}&encoding=identity"
    answer = await client.get(url)
    run = await run_of(client, answer)
    again = await client.get(answer.headers["content-location"])

    assert (answer.status_code, answer.text) == (200, text)
    assert (run["state"], run["rows"], run["bytes"]) == ("complete", 0, len(text))
    assert (again.status_code, again.text) == (200, text)


async def test_lines_may_tell_their_end(live: Live) -> None:
    """For a program that gets lines from another and never sees how the transfer ended."""
    client = await reader(live)
    url = "/api/v1/exports/users?columns=username&end=1"
    answer = await client.get(f"{url}&format=ndjson")
    refused = await client.get(f"{url}&format=csv")

    assert answer.text == '{"username":"reader"}\n{"$end":{"rows":1}}\n'
    assert (await run_of(client, answer))["rows"] == 1
    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip", "gzip"), ("zstd, gzip", "zstd"), ("br", None), ("gzip;q=0", None), ("", None)],
)
async def test_what_the_client_takes_is_compressed(
    live: Live, accepted: str, encoding: str | None
) -> None:
    """Zstd before gzip; what is stored is what was sent."""
    await add_people(live)
    client = await reader(live)
    headers = {"Accept-Encoding": accepted}
    async with client.stream("GET", "/api/v1/export/users-csv", headers=headers) as answer:
        sent = b"".join([part async for part in answer.aiter_raw()])
    run = await run_of(client, answer)
    url = answer.headers["content-location"]
    async with client.stream("GET", url) as again:
        kept = b"".join([part async for part in again.aiter_raw()])

    assert answer.headers.get("content-encoding") == encoding
    assert again.headers.get("content-encoding") == encoding
    assert kept == sent
    assert run["sha256"] == hashlib.sha256(sent).hexdigest()
    unpack: dict[str | None, Callable[[bytes], bytes]] = {
        "gzip": gzip.decompress,
        "zstd": zstd.decompress,
        None: bytes,
    }
    assert unpack[encoding](sent).count(b"\n") == PEOPLE + 2


async def test_a_script_in_a_browser_chooses_the_encoding_in_the_address(live: Live) -> None:
    """It may not send `Accept-Encoding`, and can neither count nor continue what is compressed."""
    await add_people(live)
    client = await reader(live)

    headers = {"Accept-Encoding": "zstd, gzip"}
    answer = await client.get("/api/v1/exports/users?encoding=identity", headers=headers)

    assert "content-encoding" not in answer.headers
    assert (await run_of(client, answer))["bytes"] == len(answer.content)


async def test_everybody_is_told_what_is_theirs_to_export(live: Live) -> None:
    """A form can be made of the answer, and says whose rows will come."""
    plain, admin = await live.user("plain"), await live.user("ada", role="admin")

    offered = [(await client.get("/api/v1/exports")).json()["items"] for client in (plain, admin)]

    theirs, all_rows = [{one["name"]: one["rows_of"] for one in items} for items in offered]
    assert theirs == {"activity": "own", "messages": "own", "tasks": "own"}
    assert all_rows == dict.fromkeys(("activity", "messages", "tasks", "users"), "all")


async def test_a_cut_download_goes_on_where_it_was(live: Live) -> None:
    """With the range that is missing, it has the hash of the whole."""
    await add_people(live)
    client = await reader(live)
    headers = {"Accept-Encoding": "identity"}
    async with client.stream("GET", "/api/v1/export/users-csv", headers=headers) as answer:
        first = await anext(answer.aiter_raw(1000))
    run = await run_of(client, answer)

    rest = await client.get(
        answer.headers["content-location"],
        headers={"Range": f"bytes={len(first)}-", "If-Range": answer.headers["etag"], **headers},
    )

    assert run["state"] == "complete"
    assert rest.status_code == 206
    assert hashlib.sha256(first + rest.content).hexdigest() == run["sha256"]


async def test_a_file_that_is_still_written_is_asked_for_again_later(live: Live) -> None:
    """A client that comes back too early is told when to come, not that there is none."""
    client = await reader(live)
    answer = await client.get("/api/v1/exports/users")
    url = answer.headers["content-location"]
    async with live.database.driver() as database:
        await database.execute("UPDATE exports SET state = 'running', seen_at = now()")
    early = await client.get(url)
    async with live.database.driver() as database:
        await database.execute("UPDATE exports SET state = 'complete'")
    late = await client.get(url)
    run = await run_of(client, answer)

    assert (early.status_code, early.headers["retry-after"]) == (503, "1")
    digest = base64.b64encode(bytes.fromhex(run["sha256"])).decode()
    assert late.headers["repr-digest"] == f"sha-256=:{digest}:"


async def test_a_file_has_its_name_in_any_language(live: Live) -> None:
    """Browsers take `filename*` (RFC 8187); old programs find a name they can write."""
    client = await reader(live)
    answer = await client.get("/api/v1/exports/users", params={"filename": "利用者 7"})

    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"___ 7.csv\"; filename*=UTF-8''%E5%88%A9%E7%94%A8%E8%80%85%207.csv"
    )


async def test_only_what_is_declared_can_be_asked_for(live: Live) -> None:
    """The answer lists what can."""
    client = await reader(live)
    answers = {
        query: (await client.get(f"/api/v1/exports/users?{query}")).json()
        for query in (
            "columns=password_hash",
            "sort=email",
            "password_hash=x",
            "created_at_from=yesterday",
            "id=1;drop",
            "format=xlsx",
            "id_from=1&id_from=2",
            f"limit={2**63}",
            "created_at_from=0001-01-01T00:00:00%2B14:00",  # no year of the calendar in UTC
        )
    }

    assert {answer["code"] for answer in answers.values()} == {"validation_failed"}
    assert "id, username, name, email" in answers["columns=password_hash"]["detail"]
    assert "created_at_from" in answers["password_hash=x"]["detail"]


async def test_users_need_a_scope_and_are_written_down(live: Live) -> None:
    """Names and addresses of people are not everybody's."""
    plain, allowed = await live.user("plain"), await reader(live)

    refused = [
        (await plain.get(url)).status_code
        for url in ("/api/v1/exports/users", "/api/v1/export/users-csv", "/api/v1/stream/users")
    ]
    await allowed.get("/api/v1/exports/users")

    assert refused == [403, 403, 403]
    async with live.database.driver() as database:
        deeds = await database.fetch("SELECT data FROM activity WHERE kind = 'admin.export'")
    assert len(deeds) == 1


async def test_everybody_exports_what_is_theirs(live: Live) -> None:
    """And nothing of anybody else, whatever they ask; an admin gets everything."""
    alice, bob = await live.user("alice"), await live.user("bob")
    admin = await live.user("ada", role="admin")
    for client in (alice, bob):
        assert (await client.post("/api/v1/activity", json={"kind": "post"})).status_code == 201
    me = (await bob.get("/api/v1/auth/me")).json()["id"]

    own = (await bob.get("/api/v1/exports/activity?format=json")).json()
    asked = (await bob.get(f"/api/v1/exports/activity?format=json&user_id={me}")).json()
    foreign = await bob.get(f"/api/v1/exports/activity?user_id={me - 1}")
    everything = (await admin.get("/api/v1/exports/activity?format=json&kind=post")).json()

    assert {row["user_id"] for row in own} == {me}
    assert own == asked
    assert foreign.status_code == 404
    assert len(everything) == 2


async def test_a_run_is_its_owners_alone(live: Live) -> None:
    """A foreign one looks like none."""
    client, other = await reader(live), await live.user("bob")
    answer = await client.get("/api/v1/exports/users")
    url = f"/api/v1/exports/runs/{answer.headers['x-export-id']}"

    assert [(await other.get(path)).status_code for path in (url, f"{url}/file")] == [404, 404]
    listed = (await client.get("/api/v1/exports/runs")).json()["items"]
    assert [run["id"] for run in listed] == [answer.headers["x-export-id"]]


async def test_a_failure_before_the_first_row_is_a_problem(live: Live) -> None:
    """No answer that begins well and says nothing."""
    client = await reader(live)
    async with live.database.driver() as database:
        await database.execute("ALTER TABLE activity RENAME COLUMN data TO gone")
    try:
        answer = await client.get("/api/v1/exports/activity?columns=data")
    finally:
        async with live.database.driver() as database:
            await database.execute("ALTER TABLE activity RENAME COLUMN gone TO data")

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "export_failed"


async def test_the_same_is_a_task_with_a_file(live: Live) -> None:
    """With progress, for what takes long."""
    await add_people(live)
    client = await reader(live)
    order = {"format": "ndjson", "columns": ["id"], "filters": {"role": "user"}}

    accepted = await client.post("/api/v1/exports/users", json=order)
    preferred = await client.get(
        "/api/v1/exports/users?format=ndjson&columns=id&role=user",
        headers={"Prefer": "respond-async"},
    )
    await live.work("reports")
    task = (await client.get(accepted.headers["location"])).json()
    file = await client.get(f"{accepted.headers['location']}/result")

    assert (accepted.status_code, preferred.status_code) == (202, 202)
    assert preferred.headers["preference-applied"] == "respond-async"
    other = await client.get(f"{preferred.headers['location']}/result")
    assert other.content == file.content
    digest = base64.b64encode(hashlib.sha256(file.content).digest()).decode()
    assert file.headers["repr-digest"] == f"sha-256=:{digest}:"
    assert task["state"] == "succeeded", task
    assert task["progress"]["current"] == task["progress"]["total"] == PEOPLE + 1
    assert task["artifact"]["name"] == "users.ndjson"
    assert len(file.text.splitlines()) == PEOPLE + 1


async def test_the_command_line_writes_a_file_that_is_whole(live: Live, tmp_path: Path) -> None:
    """The same rows by the same code; a file that could not be written whole is not there."""
    await add_people(live)
    file, packed, broken = (tmp_path / name for name in ("a.csv", "a.ndjson.zst", "b.csv"))

    said = await live.command("export", "users", "--output", str(file), "--where", "role=user")
    await live.command("export", "users", "-o", str(packed))  # its name says in which form
    await live.command("export", "users", "-o", str(broken), "--sort=x", code=1)

    assert f"Wrote {PEOPLE} rows" in said
    assert len(list(csv.DictReader(io.StringIO(file.read_text())))) == PEOPLE
    assert zstd.decompress(packed.read_bytes()).count(b"\n") == PEOPLE
    assert [path.name for path in tmp_path.glob("*.csv*")] == ["a.csv"]


async def test_the_command_line_refuses_a_place_where_no_file_can_be(
    live: Live, tmp_path: Path
) -> None:
    """A file takes the place of what is there; as root that would be a device of the system."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("file.csv")
    for place in (pipe, tmp_path, tmp_path / "nowhere" / "a.csv"):
        await live.command("export", "users", "-o", str(place), code=2)
    await live.command("export", "users", "-o", str(link))

    assert pipe.is_fifo()
    assert link.is_symlink()
    assert link.read_text().startswith("id,username,")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "file.csv",
        "link",
    ]
