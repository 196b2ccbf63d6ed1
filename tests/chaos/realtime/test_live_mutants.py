"""The checker of channels goes red when a guard is switched off, and is green when it is on."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from pydantic import BaseModel

from chaos.realtime.company import CHANNELS, Company
from chaos.realtime.ledger import Findings
from support.brokers import Valkey
from support.live import Live
from support.waiting import until
from tasuki.core.database import Session
from tasuki.realtime.channels import Position, Publication, Slice
from tasuki.realtime.feed import Feed
from tasuki.realtime.publisher import Publisher
from tasuki.realtime.redis import _PUBLISH, RedisBroker

_GREEN_WITHIN_S = 20.0
_RED_WITHIN_S = 1.0


async def a_bad_day(live: Live, valkey: Valkey, folder: Path, *, within_s: float) -> Findings:
    """Cut connections, send clients away, go back to before: each while something is said."""
    client = await live.user("alice", role="admin")
    database_url = live.tasuki.settings.need_database_url().replace("+asyncpg", "")
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool:
        company = Company(folder, pool, urls=[live.url], client=client, seed=1)
        speaker = company.speaker("web-0")

        async def say(*hows: str) -> None:
            for how in hows:
                for channel in CHANNELS:
                    await speaker.say(channel, how)

        async with company.listening():
            await company.all_listen(within_s=_GREEN_WITHIN_S)
            await say("now", "rollback")
            before = valkey.everything()
            valkey.cut()
            await say("now", "commit", "now")
            with contextlib.suppress(AssertionError):  # a mutant never gets there
                await until(lambda: _know_all(company), within=within_s)
            valkey.go_back(before)
            await say("now", "commit")
            company.drop(company.numbers("drop"))
            await say("now")
            await company.come_to_rest(within_s=within_s)
        return await company.verdict()


def _know_all(company: Company) -> bool:
    """Whether what was acknowledged is known."""
    said = [line for line in company.said.read() if line["outcome"] == "ok"]
    return all(
        line["id"] in one.knows[line["channel"]]
        for one in company.listeners
        for line in said
        if line["channel"] in one.channels and line["how"] != "rollback"
    )


_follows, _publish = Feed.follows, Publisher.publish


def takes_any_position(self: Feed, publication: Publication) -> bool | None:
    """No gap is noticed, and none repaired."""
    return None if _follows(self, publication) is None else True


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
    found = await a_bad_day(live, valkey, tmp_path, within_s=_GREEN_WITHIN_S)

    assert found.is_good, found
    assert found.resets > 0


@pytest.mark.parametrize(
    ("guarded", "name", "mutant", "says"),
    [
        (Feed, "follows", takes_any_position, "came at"),
        (Feed, "after", recovers_nothing, "without need"),
        (RedisBroker, "_begin_generation", keeps_the_epoch, "knows nothing of"),
        (Publisher, "publish_in", publishes_at_once, "which was never said for good"),
    ],
)
async def test_without_a_guard_the_checker_goes_red(
    live: Live,
    valkey: Valkey,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    guarded: type,
    name: str,
    mutant: Callable[..., object],
    says: str,
) -> None:
    """A test that cannot fail proves nothing."""
    monkeypatch.setattr(guarded, name, mutant)

    found = await a_bad_day(live, valkey, tmp_path, within_s=_RED_WITHIN_S)

    assert says in str(found)
