"""A sending while its workers are killed, and what the mail system's book says of it."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import asyncpg

from chaos.house import LONG_S, House, signed_in
from support.mailing import SEND_BULK
from support.smtp import Sink
from support.waiting import wait_until

CONNECTIONS = 4
WORKERS = 2
_STATES = "SELECT recipient, state FROM mails WHERE batch_id = $1::text::uuid"


def mail_settings(sink: Sink) -> dict[str, str]:
    """Return the settings by which a house sends to a sink.

    Workers are killed far more often than a chunk gives its place away, so crashes are no sign
    that it is to blame.
    """
    return {
        "TASUKI_MAIL__HOST": "127.0.0.1",
        "TASUKI_MAIL__PORT": str(sink.port),
        "TASUKI_MAIL__TLS": "none",
        "TASUKI_MAIL__FROM": "chaos@example.org",
        "TASUKI_MAIL__CONNECTIONS": str(CONNECTIONS),
        "TASUKI_TASKS__MAX_CRASHES": "20",
    }


@dataclass
class Sent:
    """What became of a sending.

    Attributes:
        kills: Of workers, while it went on.
        unknown: Recipients of whom nobody knows: their worker was killed in that very moment.
        faults: What must never be; empty if all is well.
    """

    recipients: int
    kills: int
    unknown: int
    faults: list[str] = field(default_factory=list)


async def send_under_kills(
    house: House, sink: Sink, *, recipients: int, every: int, seed: int
) -> Sent:
    """Send to so many, kill a worker after about every so many mails, and judge.

    Args:
        every: Mails between two kills, on average.
    """
    rng = random.Random(seed)  # noqa: S311  # a schedule, no secret
    people = [f"p{number}@example.org" for number in range(recipients)]
    await asyncio.gather(
        house.start("web", "scheduler"), *(_keep(house, n) for n in range(WORKERS))
    )
    async with signed_in(house) as client:
        answer = await client.post(
            SEND_BULK, json={"email_list": people, "subject": "S", "html_content": "<p>x</p>"}
        )
        assert answer.status_code == 202, answer.text
        batch_id = answer.json()["batch_id"]
        kills = 0
        after = rng.randint(every // 2, every)
        while after < recipients:
            await _until_taken(sink, after)
            house.kill(house.kept[f"io{rng.randrange(WORKERS)}"], f"after {after} mails")
            kills += 1
            after += rng.randint(every // 2, every + every // 2)

        async def is_over() -> bool:
            batch = (await client.get(f"/api/v1/batches/{batch_id}")).json()
            return batch["finished_at"] is not None

        await wait_until(is_over, within=LONG_S + recipients / 20, what="the end of the sending")
    states = await _states(house, batch_id)
    return judge(people, states, Counter(sink.recipients), kills=kills)


def judge(
    people: list[str], states: Mapping[str, str], came: Mapping[str, int], *, kills: int
) -> Sent:
    """Compare what the rows say with what the mail system took."""
    unknown = [one for one in people if states.get(one) == "unknown"]
    faults = [f"{one} got {count} mails" for one, count in came.items() if count > 1]
    faults += [f"nobody ordered a mail to {one}" for one in came.keys() - set(people)]
    for one in people:
        state = states.get(one, "missing")
        if state not in {"sent", "unknown"}:
            faults.append(f"{one} is {state}")
        elif state == "sent" and came.get(one, 0) != 1:
            faults.append(f"{one} is sent, and got {came.get(one, 0)} mails")
    if len(unknown) > kills * CONNECTIONS:
        faults.append(f"{len(unknown)} unknown after {kills} kills of {CONNECTIONS} connections")
    return Sent(recipients=len(people), kills=kills, unknown=len(unknown), faults=faults)


async def _keep(house: House, number: int) -> None:
    await house.keep(f"io{number}", lambda: house.worker("io"))


async def _until_taken(sink: Sink, count: int) -> None:
    async def has_taken() -> bool:
        return len(sink.recipients) >= count

    await wait_until(has_taken, within=LONG_S, what=f"{count} mails")


async def _states(house: House, batch_id: str) -> dict[str, str]:
    connection = await asyncpg.connect(house.database_url)
    try:
        rows = await connection.fetch(_STATES, batch_id)
    finally:
        await connection.close()
    return {row["recipient"]: row["state"] for row in rows}
