"""Streams as others read them, and two web processes: kills of one are noticed by nobody.

One system for all tests of this module: two web processes on ports of their own.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from chaos.realtime.clients import CLIENTS, Ear, Missing
from chaos.realtime.doors import TABLE
from chaos.realtime.storm import MODULE
from support.client import Client
from support.following import following
from support.servers import Servers, free_port
from support.sockets import talking
from support.system import Part, System
from support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

_WITHIN_S = 40.0
_PAUSE_S = 0.1


@dataclass
class Site:
    """Two web processes, the first of which is killed.

    Attributes:
        clients: The admin, as a client of each.
    """

    system: System
    ports: list[int]
    webs: list[Part]
    clients: list[Client]

    def url(self, number: int) -> str:
        """Return the address of a web process."""
        return f"http://127.0.0.1:{self.ports[number]}"

    async def say(self, channel: str, word: str, *, by: int) -> None:
        """Publish through one of the two."""
        query = {"channel": channel, "word": word, "how": "now"}
        answer = await self.clients[by].post("/proof/say", params=query)
        assert answer.status_code == 200, answer.text

    async def kill(self) -> None:
        """Kill the first."""
        await asyncio.to_thread(self.webs[0].kill)

    async def start_again(self) -> None:
        """Start the first again, where it was."""
        self.webs[0] = await asyncio.to_thread(self.system.web, self.ports[0])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """See the module."""
    database_url = await servers.create_database()
    connection = await asyncpg.connect(database_url)
    await connection.execute(TABLE)
    await connection.close()
    ports = [free_port(), free_port()]
    env = {"TASUKI_TASKS__MODULES": f'["{MODULE}"]'}
    async with AsyncExitStack() as stack:
        system = stack.enter_context(
            System(tmp_path_factory.mktemp("site"), database_url, servers.redis_url, env)
        )
        webs = await asyncio.gather(*(asyncio.to_thread(system.web, port) for port in ports))
        clients = [
            await stack.enter_async_context(Client(base_url=f"http://127.0.0.1:{port}"))
            for port in ports
        ]
        await clients[0].sign_in()
        clients[1].cookies.update(clients[0].cookies)
        yield Site(system, ports, list(webs), clients)
    await servers.drop_database(database_url)


@dataclass
class Run:
    """What became of the clients.

    Attributes:
        missing: Clients that this machine does not have, and why.
    """

    said: list[str] = field(default_factory=list)
    ears: dict[str, Ear] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    async def all_said(self, count: int) -> None:
        """Wait until so many words were said."""
        await until(lambda: len(self.said) >= count, within=_WITHIN_S, what=f"{count} words")

    async def all_heard(self, count: int) -> None:
        """Wait until all have heard so many words."""

        def have_they() -> bool:
            return all(len(ear.words) >= count for ear in self.ears.values())

        await until(have_they, within=_WITHIN_S, what=f"{count} words: {self.ears}")


async def follow_over_two_kills(site: Site, folder: Path) -> Run:
    """Let all clients follow the first process while it is killed; publish through the second."""
    made, channel = Run(), "proof:words"
    url = f"{site.url(0)}/api/v1/events/stream?channel={channel}"
    cookie = "; ".join(f"{name}={value}" for name, value in site.clients[0].cookies.items())
    async with AsyncExitStack() as stack:
        for name, client in CLIENTS.items():
            ear = Ear()
            try:
                await stack.enter_async_context(client(url, cookie, ear, folder))
            except (Missing, pytest.skip.Exception) as exc:
                made.missing[name] = str(exc)
            else:
                made.ears[name] = ear
        await until(
            lambda: all(ear.is_open for ear in made.ears.values()), within=_WITHIN_S, what="all"
        )
        async with _speaking(site, channel, made.said):
            for _ in range(2):
                await made.all_heard(len(made.said) + 5)
                await site.kill()
                await made.all_said(len(made.said) + 5)
                await site.start_again()
                await made.all_heard(len(made.said) + 1)
        await made.all_heard(len(made.said))
    return made


@contextlib.asynccontextmanager
async def _speaking(site: Site, channel: str, said: list[str]) -> AsyncGenerator[None]:
    over = asyncio.Event()

    async def speak() -> None:
        while not over.is_set():
            word = f"word {len(said) + 1}"
            await site.say(channel, word, by=1)
            said.append(word)
            await asyncio.sleep(_PAUSE_S)

    speaking = asyncio.create_task(speak())
    try:
        yield
    finally:
        over.set()
        await speaking


async def test_each_client_sees_all_once_and_in_order_over_two_kills(
    site: Site, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    """Each has its own way to come back; all of them come back with the last id they were told."""
    run = await follow_over_two_kills(site, tmp_path)

    assert len(run.said) > 20
    for name in CLIENTS:
        with subtests.test(name):
            if name in run.missing:
                pytest.skip(run.missing[name])
            assert run.ears[name].words == run.said


async def test_what_one_process_publishes_reaches_the_clients_of_the_other(site: Site) -> None:
    """Streams and sockets, both ways; and the end of one process loses nothing."""
    channel, path = "proof:both", "/proof/ws/both"
    here, there = site.clients
    async with talking(there, path) as socket, talking(here, path) as cut:
        async with following(here, channel) as mine, following(there, channel) as other:
            for talk in (socket, cut):
                await talk.say({})
                await talk.hear_until("ready")
            for stream in (mine, other):
                await stream.frame()
            await site.say(channel, "from here", by=0)
            await site.say(channel, "from there", by=1)
            heard = [
                [(await stream.event_of("said"))["data"]["id"] for _ in range(2)]
                for stream in (mine, other)
            ]
            told = [[(await talk.hear())["id"] for _ in range(2)] for talk in (socket, cut)]
            await site.kill()
            await site.say(channel, "alone", by=1)
            alone = [(await other.event_of("said"))["data"]["id"], (await socket.hear())["id"]]
        async with following(there, channel, last_id=mine.last_id) as moved:
            missed = await moved.event_of("said")
        code = await cut.closed()

    assert heard == told == [["from here", "from there"]] * 2
    assert alone == ["alone"] * 2
    assert missed["data"]["id"] == "alone"
    assert code in {None, 1006}
