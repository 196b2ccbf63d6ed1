"""The command line: what an operator types, and what comes of it."""

import subprocess
import sys
from pathlib import Path

from support.live import Live

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
