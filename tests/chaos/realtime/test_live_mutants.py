"""The checker of channels goes red when a guard is switched off, and is green when it is on."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from pydantic import BaseModel

from chaos.realtime.company import CHANNELS, Company
from chaos.realtime.doors import as_pair, say
from chaos.realtime.ledger import Findings
from support.brokers import Valkey
from support.live import Live
from support.waiting import until
from tasuki import Tasuki
from tasuki.core.database import Session
from tasuki.realtime.channels import Position, Publication, Slice
from tasuki.realtime.feed import Feed
from tasuki.realtime.hub import Hub
from tasuki.realtime.publisher import Publisher
from tasuki.realtime.redis import _PUBLISH, RedisBroker

_WITHIN_S = 40.0
_PATIENCE_S = 2.0
_MOST_WORDS = 20


class Day:
    """What happens to a web process in this one, in an order that no machine changes."""

    def __init__(self, live: Live, company: Company) -> None:
        self._live = live
        self._company = company
        self._speaker = company.speaker("web-0")
        self._elsewhere = 0

    async def say(self, *hows: str) -> None:
        """Say something in each channel, and go on until the last of it is known.

        A mutant that hears nothing for a while does not ask for it afterwards.
        """
        for how in hows:
            await self._say_once(how)
        for _ in range(_MOST_WORDS):
            with contextlib.suppress(AssertionError):
                await until(self._newest_is_known, within=_PATIENCE_S)
                return
            await self._say_once("now")
        raise AssertionError("nobody listens")

    async def _say_once(self, how: str) -> None:
        for channel in CHANNELS:
            while await self._speaker.say(channel, how) != "ok":
                pass  # its connection to Redis was cut as well

    def _newest_is_known(self) -> bool:
        said = [line for line in self._company.said.read() if line["how"] != "rollback"]
        newest = {line["channel"]: line["id"] for line in said if line["outcome"] == "ok"}
        return all(
            newest[channel] in listener.knows[channel]
            for listener in self._company.listeners
            for channel in listener.channels
        )

    def while_deaf(self, first: Callable[[], None], count: int) -> None:
        """Break something, and publish in another process, before this one can know of it.

        This thread and its loop stand still meanwhile, so nothing depends on who is faster.
        """
        work = partial(asyncio.run, self._publish_elsewhere(first, count))
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    async def _publish_elsewhere(self, first: Callable[[], None], count: int) -> None:
        async with Tasuki(self._live.tasuki.settings).connected() as tasuki:
            first()
            for _ in range(count):
                self._elsewhere += 1
                for channel in CHANNELS:
                    word = f"elsewhere-{channel}-{self._elsewhere}"
                    position = await say(tasuki.services.get, channel, word, "now")
                    self._company.said.write(
                        party="elsewhere",
                        n=self._elsewhere,
                        channel=channel,
                        id=word,
                        how="now",
                        outcome="ok",
                        at_position=as_pair(position),
                    )


async def a_bad_day(live: Live, valkey: Valkey, folder: Path) -> Findings:
    """Cut connections, go back to before, send clients away: each while something is said."""
    client = await live.user("alice", role="admin")
    database_url = live.tasuki.settings.need_database_url().replace("+asyncpg", "")
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool:
        company = Company(folder, pool, urls=[live.url], client=client, seed=1)
        day = Day(live, company)
        async with company.listening():
            await company.all_listen(within_s=_WITHIN_S)
            await day.say("now", "rollback", "now")
            before = valkey.everything()
            day.while_deaf(valkey.cut, 3)
            await day.say("now")
            day.while_deaf(partial(valkey.go_back, before), 6)  # further than it had been
            await day.say("now", "commit")
            company.drop(company.numbers("drop"))
            await day.say("now")
            await company.come_to_rest(within_s=_WITHIN_S)
        return await company.verdict()


_follows, _publish = Feed.follows, Publisher.publish


def takes_any_position(self: Feed, publication: Publication) -> bool | None:
    """No hole is noticed."""
    return None if _follows(self, publication) is None else True


def asks_for_nothing(self: Hub) -> None:
    """What came while there was no connection is not asked for."""
    del self


async def keeps_the_epoch(self: RedisBroker, *, is_new: bool = False) -> None:
    """A server that was started again is taken for the one it was."""
    del is_new
    self._hash = await self._client.script_load(_PUBLISH)


async def publishes_at_once(
    self: Publisher, session: Session, channel: str, event: BaseModel
) -> None:
    """A transaction publishes, whether it is committed or not."""
    del session
    await _publish(self, channel, event)


def recovers_nothing(self: Feed, since: Position, read: Slice | None) -> None:
    """Who comes back is told that all is lost."""
    del self, since, read


async def test_with_all_guards_a_bad_day_is_green(
    live: Live, valkey: Valkey, tmp_path: Path
) -> None:
    """All hear everything once and in order, or are told."""
    found = await a_bad_day(live, valkey, tmp_path)

    assert found.is_good, found
    assert found.resets > 0
    assert live.tasuki.services.get(Hub).counts.gap_repairs > 0


Mutant = dict[tuple[type, str], Callable[..., object]]

no_repair: Mutant = {(Feed, "follows"): takes_any_position, (Hub, "missed"): asks_for_nothing}
no_recovery: Mutant = {(Feed, "after"): recovers_nothing}
no_new_epoch: Mutant = {(RedisBroker, "_begin_generation"): keeps_the_epoch}
no_outbox: Mutant = {(Publisher, "publish_in"): publishes_at_once}


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        pytest.param(no_repair, "came at", id="no repair"),
        pytest.param(no_recovery, "without need", id="no recovery"),
        pytest.param(no_new_epoch, "knows nothing of", id="no new epoch"),
        pytest.param(no_outbox, "which was never said for good", id="no outbox"),
    ],
)
async def test_without_a_guard_the_checker_goes_red(
    live: Live,
    valkey: Valkey,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mutant: Mutant,
    says: str,
) -> None:
    """A test that cannot fail proves nothing."""
    for (guarded, name), wrong in mutant.items():
        monkeypatch.setattr(guarded, name, wrong)

    found = await a_bad_day(live, valkey, tmp_path)

    assert says in str(found)
