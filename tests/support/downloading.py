"""Programs that people download with: what each says when a download breaks off, or does not."""

import asyncio
import os
import shutil
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from playwright.async_api import Browser, BrowserContext, Page

WELL = "well"
_WITHIN_S = 60
_NODE = """
const [url, token] = process.argv.slice(1);
fetch(url, { headers: { Authorization: `Bearer ${token}` } })
  .then(async (answer) => (await answer.arrayBuffer(), answer.status))
  .then((status) => status === 200 ? "well" : status, (error) => `${error}`)
  .then(console.log);
"""
_FETCH = """url => fetch(url)
  .then(async (answer) => (await answer.arrayBuffer(), answer.status))
  .then((status) => status === 200 ? "well" : `${status}`, (error) => `${error}`)"""
_CLICK = """url => {
  const link = document.body.appendChild(document.createElement("a"));
  link.href = url;
  link.click();
}"""


@dataclass(frozen=True)
class Door:
    """A way to the web process.

    Attributes:
        certificate: What to trust there.
    """

    name: str
    url: str
    certificate: Path | None = None


@dataclass
class Downloader:
    """Downloads with each program; all say `WELL`, or in their own words what happened.

    Attributes:
        token: Who downloads.
    """

    token: str
    browser: Browser
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)
    context: BrowserContext | None = None

    @property
    def programs(self) -> dict[str, Callable[[Door, str], Awaitable[str]]]:
        """The programs that are here, by their names; each takes a door and a path."""
        found: dict[str, Callable[[Door, str], Awaitable[str]]] = {
            "curl": self.curl,
            "httpx": self.httpx,
        }
        if shutil.which("node"):
            found["Node's fetch"] = self.node
        return found | {"Chromium's fetch": self.fetch, "Chromium's download": self.download}

    async def open(self) -> None:
        """Have a window of the browser."""
        self.context = await self.browser.new_context(
            ignore_https_errors=True,
            extra_http_headers={"Authorization": f"Bearer {self.token}"},
        )

    async def curl(self, door: Door, path: str) -> str:
        """As a script does."""
        words = ["curl", "-sSf", "-o", os.devnull, "-H", f"Authorization: Bearer {self.token}"]
        if door.certificate is not None:
            words += ["--cacert", str(door.certificate)]
        code, said = await self._run(*words, f"{door.url}{path}")
        return f"exit {code}: {said}" if code else WELL

    async def httpx(self, door: Door, path: str) -> str:
        """As a program in Python does."""
        trust = ssl.create_default_context(cafile=door.certificate) if door.certificate else False
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(verify=trust, headers=headers, timeout=_WITHIN_S) as client:
            try:
                answer = await client.get(f"{door.url}{path}")
            except httpx.HTTPError as exc:
                return repr(exc)
        return WELL if answer.status_code == 200 else str(answer.status_code)

    async def node(self, door: Door, path: str) -> str:
        """As a program in JavaScript does."""
        env = {"NODE_EXTRA_CA_CERTS": str(door.certificate)} if door.certificate else {}
        words = ["node", "-e", _NODE, f"{door.url}{path}", self.token]
        _, said = await self._run(*words, **env)
        return said

    async def fetch(self, door: Door, path: str) -> str:
        """As a script in a page does."""
        page = await self._page(door)
        said = await page.evaluate(_FETCH, path)
        await page.close()
        return str(said)

    async def download(self, door: Door, path: str) -> str:
        """As somebody does who clicks on a link."""
        page = await self._page(door)
        async with page.expect_download() as coming:
            await page.evaluate(_CLICK, path)
        failure = await (await coming.value).failure()
        await page.close()
        return failure or WELL

    async def _page(self, door: Door) -> Page:
        assert self.context is not None
        page = await self.context.new_page()
        await page.goto(f"{door.url}/healthz")
        return page

    def close(self) -> None:
        """Kill what still runs."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.kill()

    async def _run(self, *words: str, **env: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **env},
        )
        self.processes.append(process)
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode().strip()
