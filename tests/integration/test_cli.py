"""The command line: what an operator types, and what comes of it."""

import asyncio
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from support.live import Live
from support.system import System

ECHO = ("task", "order", "test.echo")


async def test_an_operator_orders_a_task_and_gets_its_id(live: Live) -> None:
    """The id stands alone on its line, so that a script can go on with it."""
    alice = await live.user("alice")

    hers = await live.command(*ECHO, "--args", '{"text": "hello"}', "--user", "alice")
    nobodys = await live.command(*ECHO)
    await live.work()

    record = await alice.task(hers.strip())
    assert (record["state"], record["args"]["text"]) == ("succeeded", "hello")
    assert (await alice.get(f"/api/v1/tasks/{nobodys.strip()}")).status_code == 404


async def test_what_is_no_order_is_refused_in_words(live: Live) -> None:
    """Whoever mistypes JSON in a shell learns that it was the JSON."""
    assert "not JSON" in await live.command(*ECHO, "--args", "{text: 1}", code=2)
    assert "JSON object" in await live.command(*ECHO, "--args", "[1]", code=2)


def test_tasks_beside_the_settings_are_found(tmp_path: Path) -> None:
    """Modules are looked for in the folder one stands in, with nothing to export."""
    (tmp_path / "tasuki.toml").write_text('[tasks]\nmodules = ["books"]\n')
    (tmp_path / "books.py").write_text(
        "from tasuki import TaskContext, task\n\n"
        '@task("books.lend")\nasync def lend(ctx: TaskContext) -> None: ...\n'
    )

    command = Path(sys.executable).with_name("tasuki")
    done = subprocess.run(
        [command, "doctor"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert "books.lend" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "change",
    ["UPDATE alembic_version SET version_num = '0003'", "DROP TABLE alembic_version"],
    ids=["an older schema", "no schema"],
)
async def test_a_database_that_was_not_upgraded_is_said_in_one_line(
    system: System, database_url: str, change: str
) -> None:
    """Whoever forgot the step after an update is told the step, not a traceback with SQL in it."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(change)
    await connection.close()
    commands = [
        "user add x --email x@example.org",
        "web --port 0",
        "scheduler",
        "worker --lane io",
    ]

    ended = await asyncio.gather(
        *(asyncio.to_thread(system.command, *command.split()) for command in commands)
    )

    for done in ended:
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("Error: The schema of the database is at ")
        assert done.stderr.endswith("run `tasuki db upgrade`.\n")
        assert done.stderr.count("\n") == 1


async def test_the_tables_of_an_application_are_no_difference(
    live: Live, database_url: str
) -> None:
    """Tasuki lives in the application's database; what else is in there is not its business."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE orders (id bigint PRIMARY KEY)")
    as_expected = await live.command("db", "check")
    await connection.execute("ALTER TABLE tasks ADD COLUMN own text")
    different = await live.command("db", "check", code=1)
    await connection.close()

    assert as_expected == "The schema is as expected.\n"
    assert "tasks" in different
    assert "orders" not in different


async def test_a_database_upgraded_for_a_newer_version_is_no_fault(
    live: Live, database_url: str
) -> None:
    """In a rolling update the old version goes on beside the new one's schema."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()

    assert "state" in await live.command("task", "list")


@pytest.mark.parametrize("part", ["web --port 0", "scheduler"])
def test_without_redis_nothing_starts_that_would_be_alone(system: System, part: str) -> None:
    """Two web processes that hear nothing of each other would lose half of what is published."""
    system.env = {**system.env, "TASUKI_BROKER_URL": "amqp://guest@127.0.0.1:1//"}
    environment = system.environment
    del environment["TASUKI_REDIS_URL"]

    done = subprocess.run(
        [sys.executable, "-m", "tasuki", *part.split()],
        env=environment,
        cwd=system.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: TASUKI_REDIS_URL is not set")
    assert "Set it, or start `tasuki up`." in done.stderr
