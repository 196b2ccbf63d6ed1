"""What the console's tests do again and again."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

from playwright.async_api import Page, expect

HOSTILE = "<img src=x onerror=\"alert('x')\"><script>alert(1)</script>"

expect.set_options(timeout=15_000)  # the machine may be busy with other tests

Window = Callable[..., AbstractAsyncContextManager[Page]]
"""Opens a window; takes the name of the user who is signed in there, if anybody is."""


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


async def tab_to(page: Page, target: str) -> None:
    """Press Tab until this element has the focus, as somebody without a mouse does."""
    wanted = page.locator(target).first
    await expect(wanted).to_be_visible()
    for _ in range(40):
        if await wanted.evaluate("node => node === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached with Tab")
