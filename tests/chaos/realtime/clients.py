"""Clients that others wrote, and that follow a stream in their own way: none knows of Tasuki."""

import asyncio
import contextlib
import json
import shutil
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from httpx_sse import aconnect_sse

from support.browser import running_chromium
from support.system import ADMIN_PASSWORD

_AGAIN_S = 0.3
_PACKAGE = "eventsource@4.1.0"
_NODE = """
import { EventSource } from "eventsource";
const [url, cookie] = process.argv.slice(2);
const source = new EventSource(url, {
  fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Cookie: cookie } }),
});
source.addEventListener("open", () => console.log("open"));
source.addEventListener("said", (event) => console.log(JSON.parse(event.data).data.id));
"""
_BROWSER = """url => {
  const source = new EventSource(url);
  source.addEventListener("open", () => tell("open"));
  source.addEventListener("said", (event) => tell(JSON.parse(event.data).data.id));
}"""


@dataclass
class Ear:
    """What one client heard.

    Attributes:
        words: All that was said, in the order it came.
    """

    is_open: bool = False
    words: list[str] = field(default_factory=list)

    def tell(self, word: str) -> None:
        """Take what a client tells: that its stream is open, or a word."""
        if word == "open":
            self.is_open = True
        else:
            self.words.append(word)


class Missing(Exception):
    """This machine does not have it; the message says what."""


Client = Callable[[str, str, Ear, Path], contextlib.AbstractAsyncContextManager[None]]
"""Follows a stream while the block runs. Takes the stream's URL, a cookie, and an empty folder."""


@contextlib.asynccontextmanager
async def chromium(url: str, cookie: str, ear: Ear, folder: Path) -> AsyncGenerator[None]:
    """The browser's own EventSource, in a page of the console."""
    del cookie, folder
    origin = str(httpx.URL(url).copy_with(path="/", query=None))
    async with running_chromium() as browser:
        context = await browser.new_context(base_url=origin)
        await context.request.post(
            "/api/v1/auth/login", data={"username": "admin", "password": ADMIN_PASSWORD}
        )
        page = await context.new_page()
        await page.goto("/login")
        await page.expose_function("tell", ear.tell)
        await page.evaluate(_BROWSER, url)
        yield


@contextlib.asynccontextmanager
async def npm_eventsource(url: str, cookie: str, ear: Ear, folder: Path) -> AsyncGenerator[None]:
    """The package of that name, in Node."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("there is no node and npm on this machine")
    install = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", _PACKAGE]
    done = await asyncio.to_thread(
        subprocess.run, install, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise Missing(f"npm cannot install {_PACKAGE}: {done.stderr[-300:]}")
    script = folder / "follow.mjs"
    script.write_text(_NODE)

    async def follow() -> None:
        async with _program(node, str(script), url, cookie) as output:
            async for line in output:
                ear.tell(line.decode().strip())

    async with _beside(follow):
        yield


@contextlib.asynccontextmanager
async def python_httpx_sse(url: str, cookie: str, ear: Ear, folder: Path) -> AsyncGenerator[None]:
    """httpx-sse, which leaves coming back to its user."""
    del folder
    last: dict[str, str] = {}

    async def follow() -> None:
        async with httpx.AsyncClient(headers={"Cookie": cookie}, timeout=30) as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    async with aconnect_sse(client, "GET", url, headers=last) as source:
                        async for event in source.aiter_sse():
                            last["Last-Event-ID"] = event.id
                            ear.tell(
                                json.loads(event.data)["data"]["id"] if event.data else "open"
                            )
                await asyncio.sleep(_AGAIN_S)

    async with _beside(follow):
        yield


@contextlib.asynccontextmanager
async def curl(url: str, cookie: str, ear: Ear, folder: Path) -> AsyncGenerator[None]:
    """What a shell script does: read lines, keep the last id, and begin again."""
    del folder
    program = shutil.which("curl")
    if program is None:
        raise Missing("there is no curl on this machine")
    last = ""

    async def follow() -> None:
        nonlocal last
        while True:
            headers = ["-H", f"Cookie: {cookie}", "-H", f"Last-Event-ID: {last}"]
            async with _program(program, "-sN", *headers, url) as output:
                last_id, word = last, "open"
                async for line in output:
                    name, _, text = line.decode().rstrip("\n").partition(": ")
                    if name == "id":
                        last_id = text
                    elif name == "data":
                        word = json.loads(text)["data"]["id"]
                    elif not name:
                        last = last_id
                        ear.tell(word)
                        word = "open"
            await asyncio.sleep(_AGAIN_S)

    async with _beside(follow):
        yield


CLIENTS: dict[str, Client] = {
    "EventSource in Chromium": chromium,
    "npm eventsource": npm_eventsource,
    "httpx-sse": python_httpx_sse,
    "curl": curl,
}


@contextlib.asynccontextmanager
async def _program(program: str, *words: str) -> AsyncGenerator[asyncio.StreamReader]:
    process = await asyncio.create_subprocess_exec(
        program, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def _beside(follow: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
    following = asyncio.ensure_future(follow())
    try:
        yield
    finally:
        following.cancel()
        await asyncio.wait({following})
    if not following.cancelled():
        following.result()
