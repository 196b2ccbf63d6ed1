"""Every fenced block of the documentation is run, as a reader would run it.

`sh` and `console` blocks are typed into a real bash; what a `console` block shows must be what
the command says. `python`, `toml` and `nginx` blocks that begin with the name of a file are
that file; other `python` is run. `javascript` runs in a Chromium that is signed in. There is
no other kind, so nothing can be left out in silence; what is looked at only, and why, stands
in `NOT_RUN`.

Pages that build on each other are walked one after the other on one system.
"""

import asyncio
import os
import tomllib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from support.browser import running_chromium, window
from support.nginx import need_nginx, running_nginx
from support.pages import ROOT, Block, all_pages, blocks_of
from support.rabbitmq import RabbitMq
from support.reader import Mismatch, Reader
from support.servers import Servers

_PATIENCE_MS = 30_000  # the machine may be busy with other tests
REWRITE = "TASUKI_TEST_REWRITE_PICTURES"
FRONT = ("CONTRIBUTING.md", "README.ja.md", "README.md")
TUTORIAL = ("docs/tutorial/first-task.md",)
EXAMPLES = "examples/README.md"
ALONE = ("rabbitmq", "deploy")
RECIPES = (
    "cancel",
    "test",
    "batches",
    "watch",
    "notify",
    "chat",
    "channels",
    "export",
    "mail-templates",
    "mail-inbox",
    "send-mail",
    "schedules",
)


@dataclass
class Walk:
    """A reader and, from the moment a page asks for it, their browser."""

    reader: Reader
    stack: AsyncExitStack
    browser: Page | None = field(default=None)

    async def along(self, *pages: str) -> None:
        """Do what the pages say, block by block."""
        blocks = [block for page in pages for block in blocks_of(page)]
        for block in blocks:
            try:
                await self._do(block)
            except Exception as exc:
                exc.add_note(f"at {block.place}")
                raise
        for file in self.reader.written:
            if file.endswith(".py") and not any(_runs(block, file) for block in blocks):
                raise Mismatch(f"nothing loads or runs {file}")

    async def close(self) -> None:
        """Close the browser and all terminals."""
        await self.stack.aclose()
        await asyncio.to_thread(self.reader.close)

    async def _do(self, block: Block) -> None:
        if block.language == "look":
            await self._look(block)
        elif block.language == "picture":
            await self._picture(block)
        elif block.language == "javascript":
            page = await self._open()
            await page.evaluate(f"async () => {{ {block.text} }}")
        else:
            await asyncio.to_thread(self._do_in_terminal, block)

    def _do_in_terminal(self, block: Block) -> None:
        match block.language:
            case "sh":
                self.reader.type(block)
            case "console":
                self.reader.compare(block)
            case "python" | "toml" | "nginx" if block.file:
                if block.language == "toml":
                    tomllib.loads(block.text)
                self.reader.write(block)
            case "python":
                script = self.reader.folder / "snippet.py"
                script.write_text(self.reader.translate(block.text))
                self.reader.run(f".venv/bin/python -W error {script.name}")
            case _:
                raise Mismatch(f"nobody knows how to run {block.language!r}")

    async def _look(self, block: Block) -> None:
        """See in the console what the page says is seen there."""
        page = await self._open()
        task = (await asyncio.to_thread(self.reader.run, "echo $TASK")).strip()
        if not page.url.endswith(task):
            await page.goto(f"/tasks/{task}")
        await expect(page.get_by_role("main")).to_contain_text(block.text, timeout=_PATIENCE_MS)

    async def _picture(self, block: Block) -> None:
        """Find the picture; a new one is taken of what was looked at just before."""
        path = ROOT / block.text
        if os.environ.get(REWRITE) and self.browser is not None:
            await self.browser.wait_for_timeout(2_500)  # for a bar that has something to show
            await self.browser.screenshot(path=path)
        if not path.is_file():
            raise Mismatch(f"there is no {block.text}")

    async def _open(self) -> Page:
        """Open the browser and sign in, as the tutorial says, with the password it printed."""
        if self.browser is None:
            chromium = await self.stack.enter_async_context(running_chromium())
            # The pages have the server stopped and started; a tab that is open all the while is
            # right to complain that it is gone.
            opening = window(chromium, self.reader.url, expected=("net::ERR_",))
            page = await self.stack.enter_async_context(opening)
            await page.goto("/")
            await page.get_by_label("Username").fill("admin")
            await page.get_by_label("Password").fill(self.reader.password)
            await page.keyboard.press("Enter")
            heading = page.get_by_role("heading", level=1)
            await expect(heading).to_have_text("Tasks", timeout=_PATIENCE_MS)
            self.browser = page
        return self.browser


def _runs(block: Block, file: str) -> bool:
    """Whether a block has a Python file loaded or run."""
    module = file.removesuffix(".py").replace("/", ".")
    names = (file, module, f"pytest -q {module.partition('.')[0]}")
    return block.file != file and any(name in block.text for name in names)


@pytest.fixture
async def walk(tmp_path: Path, servers: Servers) -> AsyncGenerator[Walk]:
    """A reader with a fresh clone."""
    folder = tmp_path / "tasuki"
    folder.mkdir()
    database_url = await servers.create_database()
    elsewhere = {
        "postgresql://tasuki:secret@db.example/tasuki": database_url,
        "redis://valkey.example:6379/0": servers.redis_url,
    }
    async with AsyncExitStack() as stack:
        walk = Walk(Reader(folder, elsewhere), stack)
        try:
            yield walk
        finally:
            await walk.close()
            await servers.drop_database(database_url)


@pytest.mark.timeout(300)
async def test_the_front_pages_do_what_they_say(walk: Walk) -> None:
    """Whoever comes to the project tries these first, and leaves if they fail."""
    await walk.along(*FRONT)


@pytest.mark.timeout(300)
async def test_a_newcomer_gets_to_work_of_their_own_and_beyond(walk: Walk) -> None:
    """The tutorial, and the recipes for what it made."""
    await walk.along(*TUTORIAL, *(f"docs/how-to/{name}.md" for name in RECIPES))


async def test_the_example_is_started_as_it_says(walk: Walk) -> None:
    """An application of one's own beside Tasuki's workers, in two terminals."""
    await walk.along(EXAMPLES)


async def test_the_recipe_for_rabbitmq_works(walk: Walk, rabbitmq: RabbitMq) -> None:
    """Here the broker is real as well; the report is made by way of it."""
    with rabbitmq.vhost() as url:
        walk.reader.replaced["amqp://tasuki:secret@rabbit.example:5672/tasuki"] = url
        await walk.along("docs/how-to/rabbitmq.md")
        await walk.close()


async def test_the_recipe_for_production_works(walk: Walk, tmp_path: Path) -> None:
    """As in production: servers of their own, several processes, nginx before them."""
    need_nginx()
    reader = walk.reader
    async with running_nginx(
        tmp_path / "nginx", [reader.ports[8001], reader.ports[8002]]
    ) as nginx:
        reader.replaced |= {
            "https://tasks.example.org": nginx.url,
            "/srv/tasuki/files": str(tmp_path / "files"),
        }
        reader.env["CURL_CA_BUNDLE"] = str(nginx.certificate)
        await walk.along("docs/how-to/deploy.md")


def test_every_page_is_walked() -> None:
    """A page that nobody walks would rot; one without blocks has nothing to be run."""
    walked = {*FRONT, *TUTORIAL, *(f"docs/how-to/{name}.md" for name in (*RECIPES, *ALONE))}

    assert {page for page in all_pages() if blocks_of(page)} == walked | {EXAMPLES}
