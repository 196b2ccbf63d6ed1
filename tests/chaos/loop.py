"""Storms for as long as you like: ``./dev chaos --minutes 30 --seed 7``.

``--broker rabbitmq`` takes RabbitMQ instead of Valkey. Twenty minutes on it, to be repeated at
will: ``./dev chaos --broker rabbitmq --minutes 20 --seed 1``.

``--schedulers 10 --minutes 1`` kills schedulers instead, while each second has a slot.

``--realtime`` publishes in channels instead, to listeners of every kind. Its first round finds out
how long clients are kept that stopped reading, or vanished.

``--mail 5000`` sends mails instead, to so many, while the workers that send them are killed:
``./dev chaos --mail 5000 --minutes 1 --seed 1``, and once more with ``--broker rabbitmq``.

Each round has a database and a seed of its own, and prints its verdict and what was broken. What
the witnesses of a red round wrote is kept. Exits with 1 when a round was red.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Coroutine, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import asyncpg

from chaos.clockwork import tick_under_kills  # run as a file, so its folder comes first
from chaos.house import House
from chaos.mailing import mail_settings, send_under_kills
from chaos.realtime.doors import TABLE
from chaos.realtime.evictions import evictions
from chaos.realtime.storm import MODULE, LiveStorm
from chaos.storm import Storm
from support.brokers import BROKERS, Broker, Rabbit, Valkey
from support.databases import Postgres
from support.rabbitmq import RabbitMq
from support.servers import Servers
from support.smtp import smtp_sink
from tasuki.core.logging import configure_logging

_ROUND_S = 60.0


@dataclass(frozen=True)
class Ground:
    """What all rounds stand on.

    Attributes:
        postgres: Killed and started again, as the brokers are.
        valkey: Carries the notices, and without `node` the bells as well.
        node: RabbitMQ.
    """

    postgres: Postgres
    valkey: Valkey
    node: RabbitMq | None

    @property
    def servers(self) -> Servers:
        """Makes a database for each round."""
        return Servers(postgres_dsn=self.postgres.dsn, redis_url=self.valkey.url)


async def storm(ground: Ground, folder: Path, *, seed: int, for_s: float) -> bool:
    """Run one round; return whether it was good."""
    url = await ground.servers.create_database()
    folder.mkdir(mode=0o700)
    ground.valkey.forget()
    with ExitStack() as stack:
        brokers: list[Broker] = [ground.valkey]
        if ground.node is not None:
            brokers.insert(0, Rabbit(ground.node, stack.enter_context(ground.node.vhost())))
        house = House(folder, url, ground.valkey.url, broker_url=brokers[0].url)
        async with house.open():
            going = Storm(house, *brokers, seed=seed, postgres=ground.postgres)
            verdict = await going.run(for_s=for_s)
            faults = Counter(_fault(line) for line in house.kills.read())
    await ground.servers.drop_database(url)
    print(f"seed={seed} seconds={for_s:g} {verdict}", flush=True)
    print("  " + ", ".join(f"{what} {n}" for what, n in sorted(faults.items())), flush=True)
    return verdict.is_good


async def tick(ground: Ground, folder: Path, *, schedulers: int, seed: int, for_s: float) -> bool:
    """Kill schedulers while each second has a slot; return whether each was ordered once."""
    url = await ground.servers.create_database()
    folder.mkdir(mode=0o700)
    async with House(folder, url, ground.valkey.url, modules=("chaos.clockwork",)).open() as house:
        slots = await tick_under_kills(house, schedulers=schedulers, for_s=for_s, seed=seed)
    print(
        f"seed={seed} seconds={for_s:g} schedulers={schedulers} {slots}", *slots.faults, flush=True
    )
    return not slots.faults


async def publish(ground: Ground, folder: Path, *, seed: int, for_s: float) -> bool:
    """Publish in channels; return whether who listens heard all, or was told.

    Every other round has a Valkey that remembers when it is killed.
    """
    url = await ground.servers.create_database()
    (folder / "valkey").mkdir(mode=0o700, parents=True)
    with Valkey(folder / "valkey", persistent=bool(seed % 2)) as valkey:
        async with House(folder, url, valkey.url, modules=(MODULE,)).open() as house:
            found = await LiveStorm(house, valkey, seed=seed).run(for_s=for_s)
            faults = Counter(_fault(line) for line in house.kills.read())
    await ground.servers.drop_database(url)
    print(f"seed={seed} seconds={for_s:g} {found}", flush=True)
    print("  " + ", ".join(f"{what} {n}" for what, n in sorted(faults.items())), flush=True)
    return found.is_good


async def send(ground: Ground, folder: Path, *, recipients: int, seed: int) -> bool:
    """Send mails under kills; return whether everybody has one, or is said to be unknown."""
    url = await ground.servers.create_database()
    folder.mkdir(mode=0o700)
    ground.valkey.forget()
    began = time.monotonic()
    with ExitStack() as stack:
        broker: Broker = ground.valkey
        if ground.node is not None:
            broker = Rabbit(ground.node, stack.enter_context(ground.node.vhost()))
        async with smtp_sink() as sink:
            env = mail_settings(sink)
            house = House(folder, url, ground.valkey.url, broker_url=broker.url, env=env)
            async with house.open():
                sent = await send_under_kills(
                    house, sink, recipients=recipients, every=150, seed=seed
                )
    await ground.servers.drop_database(url)
    print(f"seed={seed} seconds={time.monotonic() - began:.0f} {sent}", flush=True)
    return not sent.faults


async def evict(ground: Ground, folder: Path) -> bool:
    """Let bad clients come; return whether all were gone in time."""
    url = await ground.servers.create_database()
    folder.mkdir(mode=0o700)
    async with House(folder, url, ground.valkey.url, modules=(MODULE,)).open() as house:
        connection = await asyncpg.connect(url)
        await connection.execute(TABLE)
        await connection.close()
        took_s, late = await evictions(house)
    await ground.servers.drop_database(url)
    print("RED:" if late else "ok:", ", ".join(f"{what} {s:.1f} s" for what, s in took_s.items()))
    return not late


def _fault(line: dict[str, Any]) -> str:
    return " ".join(str(line[word]) for word in ("what", "part") if word in line)


def one_round(
    options: argparse.Namespace, ground: Ground, folder: Path, *, seed: int, for_s: float
) -> Coroutine[Any, Any, bool]:
    """Return what the options ask for, to be run."""
    if options.realtime:
        return publish(ground, folder, seed=seed, for_s=for_s)
    if options.mail:
        return send(ground, folder, recipients=options.mail, seed=seed)
    if options.schedulers:
        return tick(ground, folder, schedulers=options.schedulers, seed=seed, for_s=for_s)
    return storm(ground, folder, seed=seed, for_s=for_s)


@contextmanager
def ground_for(broker: str, place: Path) -> Generator[Ground]:
    """Start the servers."""
    (place / "valkey").mkdir(mode=0o700)
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres(place / "postgres"))
        valkey = stack.enter_context(Valkey(place / "valkey"))
        node = stack.enter_context(RabbitMq(place / "rabbitmq")) if broker == "rabbitmq" else None
        ground = Ground(postgres, valkey, node)
        asyncio.run(ground.servers.make_template())
        yield ground


def is_good(going: Coroutine[Any, Any, bool]) -> bool:
    """Run a round; one that could not be finished is no good one."""
    try:
        return asyncio.run(going)
    except Exception:  # noqa: BLE001  # whatever it was: say it, and go on with the next round
        traceback.print_exc()
        return False


def read_options() -> argparse.Namespace:
    """Read what the command line asks for."""
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long to go on")
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count on")
    parser.add_argument("--broker", choices=BROKERS, default="valkey", help="what to kill")
    parser.add_argument("--schedulers", type=int, help="instead: so many, and a slot a second")
    parser.add_argument("--realtime", action="store_true", help="instead: channels and listeners")
    parser.add_argument("--mail", type=int, help="instead: mails to so many")
    return parser.parse_args()


def main() -> int:
    """Run rounds until the time is over."""
    options = read_options()
    configure_logging(level="ERROR")
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    deadline = time.monotonic() + options.minutes * 60
    red = rounds = 0
    place = Path(tempfile.mkdtemp(prefix="tasuki-chaos-"))
    with ground_for(options.broker, place) as ground:
        if options.realtime:
            red += not is_good(evict(ground, place / "evictions"))
            rounds += 1
        while (left_s := deadline - time.monotonic()) > 0:
            folder = place / f"seed-{seed}"
            for_s = min(_ROUND_S, max(left_s, 5.0))
            if is_good(one_round(options, ground, folder, seed=seed, for_s=for_s)):
                shutil.rmtree(folder)
            else:
                red += 1
                print(f"seed={seed} kept in {folder}", flush=True)
            rounds += 1
            seed += 1
    if not red:
        shutil.rmtree(place)
    print(f"{rounds} rounds, {red} red")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
