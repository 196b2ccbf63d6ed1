"""Workers are killed in the middle of a sending."""

from pathlib import Path

import pytest

from chaos.house import House
from chaos.mailing import judge, mail_settings, send_under_kills
from support.brokers import Broker
from support.smtp import smtp_sink


async def test_killed_workers_leave_nobody_out_and_write_to_nobody_twice(
    tmp_path: Path, database_url: str, redis_url: str, broker: Broker
) -> None:
    """Who is not sure to have it is said to be unknown: one a connection and kill at most."""
    async with smtp_sink() as sink:
        house = House(
            tmp_path,
            database_url,
            broker.redis_url or redis_url,
            broker_url=broker.url,
            env=mail_settings(sink),
        )
        async with house.open():
            sent = await send_under_kills(house, sink, recipients=500, every=120, seed=1)

    assert sent.faults == []
    assert sent.kills >= 3


@pytest.mark.parametrize(
    ("states", "came", "fault"),
    [
        ({"a": "sent", "b": "sent"}, {"a": 1, "b": 2}, "b got 2 mails"),
        ({"a": "sent", "b": "unknown"}, {"a": 1, "b": 2}, "b got 2 mails"),
        ({"a": "sent", "b": "queued"}, {"a": 1}, "b is queued"),
        ({"a": "sent", "b": "sent"}, {"a": 1}, "b is sent, and got 0 mails"),
        ({"a": "sent"}, {"a": 1}, "b is missing"),
        ({"a": "sent", "b": "sent"}, {"a": 1, "b": 1, "c": 1}, "nobody ordered a mail to c"),
    ],
)
def test_the_judge_sees_every_fault(
    states: dict[str, str], came: dict[str, int], fault: str
) -> None:
    """A test that cannot fail proves nothing."""
    assert fault in judge(["a", "b"], states, came, kills=1).faults


def test_more_unknown_ones_than_could_be_on_their_way_are_a_fault() -> None:
    """Else all of them could be unknown, and the test would pass."""
    people = [str(number) for number in range(10)]

    assert judge(people, dict.fromkeys(people, "unknown"), {}, kills=1).faults
