"""How long a web process keeps clients that are gone; it takes most of a minute to find out."""

import asyncio
import time
from dataclasses import dataclass

from chaos.house import House, signed_in
from chaos.realtime.crowd import Crowd, Kind
from chaos.realtime.doors import PROOF
from support.client import Client

_LARGE = "x" * 8_000
_ENOUGH = 60  # large words: more than the kernel takes, less than an outbox may hold
_LOOK_EVERY_S = 0.25
_SLACK_S = 10.0
_LONGEST_S = 60.0


@dataclass(frozen=True)
class Case:
    """A kind of bad client, and when it has to be gone.

    Attributes:
        within_s: By the limits of the outbox, of the pulse, or of the kernel.
    """

    kind: Kind
    is_stalled: bool
    within_s: float

    @property
    def name(self) -> str:
        """What it is, in words."""
        return f"a {self.kind} that {'does not read' if self.is_stalled else 'vanished'}"


CASES = (
    Case("stream", is_stalled=True, within_s=11),
    Case("socket", is_stalled=True, within_s=11),
    Case("stream", is_stalled=False, within_s=15 + 20),  # a heartbeat, and nobody says it came
    Case("socket", is_stalled=False, within_s=15 + 8),  # a ping, and no pong
)


async def evictions(house: House) -> tuple[dict[str, float], list[str]]:
    """Let bad clients come to a web process, and wait until it has let them go.

    Returns:
        How long that took for each case, and which of them took too long.
    """
    await house.web()
    async with signed_in(house) as client:
        coming = [_evict(client, case, number) for number, case in enumerate(CASES)]
        took = dict(zip(CASES, await asyncio.gather(*coming), strict=True))
    late = [
        f"{case.name} was there for {took_s:.0f} s"
        for case, took_s in took.items()
        if took_s > case.within_s + _SLACK_S
    ]
    return {case.name: took_s for case, took_s in took.items()}, late


async def _evict(client: Client, case: Case, number: int) -> float:
    """Return after how many seconds a bad client was gone."""
    channel = PROOF.channel(f"bad{number}")
    crowd = Crowd(client, channel)
    (guest,) = await crowd.come(case.kind, 1, is_small=True)
    if case.is_stalled:
        guest.stall()
        for word in range(_ENOUGH):
            query = {"channel": channel, "word": f"{channel} {word} {_LARGE}", "how": "now"}
            answer = await client.post("/proof/say", params=query)
            assert answer.status_code == 200, answer.text
    else:
        guest.vanish()
    began = time.monotonic()
    while await _is_there(client, channel):
        assert time.monotonic() - began < 2 * _LONGEST_S, f"{case.name} stays for ever"
        await asyncio.sleep(_LOOK_EVERY_S)
    took_s = time.monotonic() - began
    await crowd.leave()
    return took_s


async def _is_there(client: Client, channel: str) -> bool:
    answer = await client.get("/api/v1/admin/realtime", params={"channel": channel})
    return bool(answer.json()["connections"])
