"""A real Chromium, and pages that remember what went wrong in them."""

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    async_playwright,
)

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# The same engine; the first draws no window of its own and needs two thirds of the time.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
_PATIENCE_MS = 15_000  # the machine may be busy with other tests
_REFUSED = "responded with a status of 4"  # Chromium notes what the page shows in its own words


@asynccontextmanager
async def running_chromium() -> AsyncGenerator[Browser]:
    """Start Chromium; without one the test is skipped, or fails where services are required."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        reason = "there is no chromium on this machine"
        if os.environ.get("TASUKI_TEST_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*_ARGUMENTS])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Faults:
    """What no page of ours may do: raise, complain, break its policy, open a dialog."""

    expected: tuple[str, ...] = ()
    seen: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Remember the faults of a page."""
        page.on("pageerror", lambda error: self.seen.append(f"error: {error}"))
        page.on("console", self._hear)
        page.on("dialog", self._refuse)

    def _hear(self, message: ConsoleMessage) -> None:
        # A refused policy is an error in the console as well.
        is_expected = any(words in message.text for words in (_REFUSED, *self.expected))
        if message.type in {"error", "warning"} and not is_expected:
            self.seen.append(f"{message.type}: {message.text}")

    async def _refuse(self, dialog: Dialog) -> None:
        self.seen.append(f"dialog: {dialog.message}")
        await dialog.dismiss()


@asynccontextmanager
async def window(
    browser: Browser,
    url: str,
    *,
    username: str | None = None,
    password: str = "",
    width: int = 1280,
    dark: bool = False,
    expected: tuple[str, ...] = (),
) -> AsyncGenerator[Page]:
    """Open a browser's window of its own, signed in if a name is given.

    Args:
        expected: Words of complaints that are right for once.

    Raises:
        AssertionError: At the end, if a fault was seen.
    """
    context = await browser.new_context(
        base_url=url,
        viewport={"width": width, "height": 800},
        color_scheme="dark" if dark else "light",
        locale="en-GB",
        timezone_id="Asia/Tokyo",
        accept_downloads=True,
    )
    context.set_default_timeout(_PATIENCE_MS)
    faults = Faults(expected=expected)
    try:
        if username is not None:
            await sign_in(context, username, password)
        page = await context.new_page()
        faults.watch(page)
        yield page
    finally:
        await context.close()
    assert not faults.seen, faults.seen


async def sign_in(context: BrowserContext, username: str, password: str) -> None:
    """Sign in without the form; the cookie is the context's."""
    answer = await context.request.post(
        "/api/v1/auth/login", data={"username": username, "password": password}
    )
    assert answer.status == 200, await answer.text()
