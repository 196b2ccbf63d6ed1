"""Behind nginx, with the configuration in `deploy/nginx/`: what a proxy is wont to break, works.

One system for all tests of this module: two web processes, one worker, one nginx.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import websockets
from httpx_sse import aconnect_sse
from websockets.typing import Origin

from support.client import Client
from support.nginx import Nginx, need_nginx, running_nginx
from support.servers import Servers, free_port
from support.system import ADMIN_PASSWORD, Part, System
from support.waiting import until, wait_until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]
SIZE = 60_000_000


@dataclass
class Site:
    """The system and how to reach it."""

    system: System
    nginx: Nginx
    ports: list[int]
    webs: list[Part]
    trust: ssl.SSLContext
    client: Client


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """Two web processes behind nginx, and the admin, who comes through it."""
    need_nginx()
    folder = tmp_path_factory.mktemp("behind")
    database_url = await servers.create_database()
    ports = [free_port(), free_port()]
    env = {"TASUKI_WEB__TRUSTED_PROXIES": '["127.0.0.1"]', "TASUKI_TASKS__RING_AGAIN_S": "1"}
    async with AsyncExitStack() as stack:
        system = stack.enter_context(System(folder, database_url, servers.redis_url, env))
        nginx = await stack.enter_async_context(running_nginx(folder / "nginx", ports))
        system.env = {**env, "TASUKI_WEB__PUBLIC_URL": nginx.url}
        webs = [await asyncio.to_thread(_web, system, port) for port in ports]
        await asyncio.to_thread(system.worker, "io")
        trust = ssl.create_default_context(cafile=nginx.certificate)
        client = await stack.enter_async_context(
            Client(base_url=nginx.url, verify=trust, timeout=20)
        )
        yield Site(system, nginx, ports, webs, trust, await client.sign_in())
    await servers.drop_database(database_url)


def _web(system: System, port: int) -> Part:
    return system._start("web", "web", "--port", str(port), env={})[0]


async def test_events_arrive_while_the_task_runs(site: Site, tmp_path: Path) -> None:
    """A proxy that gathers an answer first would show a task when it is over."""
    hold = tmp_path / "go"
    task_id = await site.client.order("test.steps", count=2, hold=str(hold))

    async with aconnect_sse(site.client, "GET", f"/api/v1/tasks/{task_id}/events") as source:
        events = source.aiter_sse()
        seen = [(await anext(events)).event]
        while seen[-1] != "progress":
            seen.append((await anext(events)).event)
        hold.touch()  # only now can it end
        seen += [event.event async for event in events]

    assert (seen[0], seen[-1]) == ("snapshot", "succeeded")


async def test_a_download_is_whole_has_ranges_and_is_resumed(site: Site) -> None:
    """Length, ETag and ranges are the application's own; the file does not cross nginx's disk."""
    task_id = await site.client.order("test.large", size=SIZE)
    record = await site.client.ended(task_id)
    path = f"/api/v1/tasks/{task_id}/result"

    whole = await site.client.get(path)
    etag = whole.headers["etag"]
    part = await site.client.get(path, headers={"Range": "bytes=1000-", "If-Range": etag})

    assert int(whole.headers["content-length"]) == record["artifact"]["size_bytes"] > SIZE
    assert (part.status_code, part.content == whole.content[1000:]) == (206, True)
    assert list((site.nginx.log.parent / "proxy").rglob("*")) == []


async def test_a_download_that_breaks_is_seen_to_break(site: Site) -> None:
    """The web process dies in the middle: no client may take the half for the whole."""
    task_id = await site.client.order("test.large", size=SIZE)
    await site.client.ended(task_id)

    async with site.client.stream("GET", f"/api/v1/tasks/{task_id}/result") as answer:
        pieces = answer.aiter_raw(1024)
        await anext(pieces)
        for web in site.webs:
            web.kill()
        with pytest.raises(httpx.RemoteProtocolError):
            async for _ in pieces:
                pass

    refused = await site.client.get("/api/v1/tasks")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "unavailable"
    site.webs = [await asyncio.to_thread(_web, site.system, port) for port in site.ports]

    async def answers() -> bool:  # nginx asks again five seconds after a failure
        return (await site.client.get("/readyz")).status_code == 200

    await wait_until(answers, within=20)


async def test_one_dead_web_process_is_not_noticed(site: Site) -> None:
    """A restart of one at a time costs no request; the other goes on alone after this test."""
    site.webs[0].kill()

    answers = [await site.client.get("/api/v1/tasks") for _ in range(20)]
    orders = [
        await site.client.post("/api/v1/tasks", json={"name": "test.echo"}) for _ in range(5)
    ]

    assert {answer.status_code for answer in answers} == {200}
    assert {order.status_code for order in orders} == {202}


async def test_the_application_knows_who_calls_and_both_logs_name_the_request(site: Site) -> None:
    """Limits on sign-ins count addresses; a client must not be able to make one up."""
    lie = {"X-Forwarded-For": "203.0.113.7", "X-Request-Id": "made-up"}
    async with Client(base_url=site.nginx.url, verify=site.trust, timeout=20) as client:
        login = {"username": "admin", "password": ADMIN_PASSWORD}
        answer = await client.post("/api/v1/auth/login", json=login, headers=lie)
        sessions = (await client.get("/api/v1/auth/sessions")).json()["items"]

    [mine] = [session for session in sessions if session["current"]]
    assert mine["address"] == "127.0.0.1"
    assert "__Host-tasuki_session" in answer.headers["set-cookie"]
    request_id = answer.headers["x-request-id"]
    assert request_id != "made-up"
    await until(lambda: f"id={request_id} " in site.nginx.log.read_text(), within=5)
    assert any(f'"{request_id}"' in web.log.read_text() for web in site.webs)


async def test_what_is_not_for_everybody_stays_inside(site: Site) -> None:
    """The metrics are asked for at a web process; a body over the limit goes no further."""
    large = await site.client.post("/api/v1/tasks", content=b"x" * (1024 * 1024 + 1))

    assert (await site.client.get("/metrics")).status_code == 404
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")
    assert (await site.client.get("/healthz")).json() == {"status": "ok"}
    assert (await site.client.get("/readyz")).json()["status"] == "ready"


@pytest.mark.parametrize("path", ["/api/v1/ws/notifications/1", "/connection/websocket"])
async def test_a_websocket_passes(tmp_path: Path, path: str) -> None:
    """The upgrade reaches whoever stands behind, on both addresses that sockets have."""
    need_nginx()

    async def echo(socket: websockets.ServerConnection) -> None:
        assert socket.request is not None
        await socket.send(json.dumps([socket.request.path, socket.request.headers["Origin"]]))
        async for message in socket:
            await socket.send(message)

    async with websockets.serve(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with running_nginx(tmp_path / "nginx", [port, free_port()]) as nginx:
            trust = ssl.create_default_context(cafile=nginx.certificate)
            url = nginx.url.replace("https:", "wss:")
            async with websockets.connect(
                f"{url}{path}", ssl=trust, origin=Origin(nginx.url)
            ) as socket:
                assert json.loads(await socket.recv()) == [path, nginx.url]
                await socket.send("襷")
                assert await socket.recv() == "襷"
