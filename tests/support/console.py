"""What the console's tests do again and again."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import uuid4

from playwright.async_api import Locator, Page, Route, expect

HOSTILE = "<img src=x onerror=\"alert('x')\"><script>alert(1)</script>"

expect.set_options(timeout=15_000)  # the machine may be busy with other tests
_READ_MS = 200  # a page has read an answer by then; if not, a fault of it stays unseen for once

PLACES = (
    "queues",
    "workers",
    "schedules",
    "failures",
    "connections",
    "announce",
    "suppressions",
)
"""Operators' pages below ``/admin``, as the navigation has them."""

Window = Callable[..., AbstractAsyncContextManager[Page]]
"""Opens a window; takes the name of the user who is signed in there, if anybody is."""

SAY = """([room, messages]) => new Promise((resolve) => {
  const socket = new WebSocket(
    `${location.origin.replace("http", "ws")}/api/v1/ws/chat/${room}`);
  let heard = 0;
  socket.onopen = () => messages.forEach((message) =>
    socket.send(JSON.stringify({ type: "chat", message })));
  socket.onmessage = ({ data }) => {
    if (JSON.parse(data).type === "chat" && (heard += 1) === messages.length) {
      socket.close();
      resolve();
    }
  };
})"""
"""Says something in a room by a socket beside the page, as a program of the same user does."""


async def order(page: Page, task: str, **args: Any) -> str:
    """Order a task as the user of the window, but not through the page."""
    answer = await page.request.post("/api/v1/tasks", data={"name": task, "args": args})
    assert answer.status == 202, await answer.text()
    return str((await answer.json())["id"])


async def order_batch(page: Page, task: str, args: list[dict[str, Any]]) -> str:
    """Order a batch in the same way."""
    answer = await page.request.post("/api/v1/batches", data={"name": task, "args": args})
    assert answer.status == 202, await answer.text()
    return str((await answer.json())["id"])


async def make_room(page: Page, *, public: bool = False) -> str:
    """Make a room of a fresh name in the same way, private unless told otherwise."""
    name = f"room-{uuid4().hex[:12]}"
    answer = await page.request.post("/api/v1/chat/rooms", data={"name": name, "public": public})
    assert answer.status == 201, await answer.text()
    return name


async def heading(page: Page, text: str) -> None:
    """Wait for the view with this heading."""
    await expect(page.get_by_role("heading", level=1)).to_have_text(text)


@asynccontextmanager
async def answered_late(page: Page, path: str, place: Locator, text: str) -> AsyncGenerator[None]:
    """Hold the answer to one request back until live events have made ``place`` show ``text``.

    So it is on a slow network: the answer is the older news by the time it comes.
    """

    async def hold(route: Route) -> None:
        answer = await route.fetch()
        await expect(place).to_contain_text(text)
        await route.fulfill(response=answer)

    await page.route(path, hold, times=1)
    async with page.expect_response(path):
        yield
    await page.wait_for_timeout(_READ_MS)


async def tab_to(page: Page, target: str) -> None:
    """Press Tab until this element has the focus, as somebody without a mouse does."""
    wanted = page.locator(target).first
    await expect(wanted).to_be_visible()
    for _ in range(40):
        if await wanted.evaluate("node => node === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached with Tab")


def lines(page: Page) -> Locator:
    """Return what was said, as the page of a room shows it."""
    return page.get_by_role("log").locator(".said-text")


async def say(page: Page, text: str) -> None:
    """Say something in the room that is open."""
    await page.get_by_role("textbox", name="Message to").fill(text)
    await page.keyboard.press("Enter")


async def open_room(page: Page, name: str, *, at: str = "") -> None:
    """Open the page of a room and wait until it is live."""
    await page.goto(f"/chat/{name}")
    await heading(page, name)
    await expect(page.get_by_text(at or "Nothing has been said here yet.")).to_be_visible()
