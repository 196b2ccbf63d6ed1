"""Fixtures of the console's tests: Chromium, a whole system, and a user for each test.

A test that takes them runs in its module's event loop.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
import pytest_asyncio
import redis.asyncio as redis
from playwright.async_api import Browser

from support.browser import running_chromium, window
from support.client import Client
from support.console import Window
from support.servers import Servers
from support.system import ADMIN_PASSWORD, System


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncGenerator[Browser]:
    """One Chromium for all tests of this module."""
    async with running_chromium() as running:
        yield running


@pytest.fixture(scope="module")
def house_env() -> Mapping[str, str]:
    """Settings of the system that a module wants besides."""
    return {}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(
    browser: Browser,
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
    house_env: Mapping[str, str],
) -> AsyncGenerator[System]:
    """A whole system; asked for after the browser, so that nothing starts without one."""
    del browser
    database_url = await servers.create_database()
    # Another database has counted its events here; those of this one would be taken for them.
    async with redis.Redis.from_url(servers.redis_url) as client:
        await client.flushall()
    modules = '["support.jobs", "support.console_jobs"]'
    env = {"TASUKI_TASKS__MODULES": modules, "TASUKI_TASKS__RING_AGAIN_S": "1", **house_env}
    folder = tmp_path_factory.mktemp("console")
    with System(folder, database_url, servers.redis_url, env) as system:
        await asyncio.to_thread(system.web)
        for lane in ("io", "cpu"):
            await asyncio.to_thread(system.worker, lane)
        yield system
    await servers.drop_database(database_url)


@pytest_asyncio.fixture(loop_scope="module")
async def house_admin(house: System) -> AsyncGenerator[Client]:
    """The admin, over HTTP."""
    async with Client(base_url=house.url, timeout=20) as client:
        yield await client.sign_in()


@pytest_asyncio.fixture(loop_scope="module")
async def person(house_admin: Client, request: pytest.FixtureRequest) -> str:
    """A user of the test's own, who may order the tests' tasks."""
    username = re.sub(r"\W", "", request.node.name.removeprefix("test_"))[:40]
    scopes = ("task:console.say", "task:test.echo")
    await house_admin.new_user(username, scopes=scopes)
    return username


@pytest.fixture
def console(browser: Browser, house: System) -> Window:
    """Opens a window before the system, signed in if a username is given."""

    def open_window(username: str | None = None, **options: Any) -> Any:
        return window(browser, house.url, username=username, password=ADMIN_PASSWORD, **options)

    return open_window
