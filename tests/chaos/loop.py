"""Storms for as long as you like: ``./dev chaos --minutes 30 --seed 7``.

``--broker rabbitmq`` takes RabbitMQ instead of Valkey. Twenty minutes on it, to be repeated at
will: ``./dev chaos --broker rabbitmq --minutes 20 --seed 1``.

Each round has a database and a broker of its own, its own seed, and prints one line. What the
witnesses of a red round wrote is kept. Exits with 1 when a round was red.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos.house import House  # run as a file, so its folder comes first
from chaos.storm import Storm
from support.brokers import BROKERS, Broker, Rabbit, Valkey
from support.rabbitmq import RabbitMq
from support.servers import Servers, running_servers
from tasuki.core.logging import configure_logging

_ROUND_S = 60.0


async def storm(
    servers: Servers, node: RabbitMq | None, folder: Path, *, seed: int, for_s: float
) -> bool:
    """Run one round; return whether it was good.

    Args:
        node: Where the bells go through; without it through a Valkey of the round's own.
    """
    url = await servers.create_database()
    (folder / "valkey").mkdir(mode=0o700, parents=True)
    with ExitStack() as stack:
        broker: Broker
        if node is None:
            broker = stack.enter_context(Valkey(folder / "valkey"))
        else:
            broker = Rabbit(node, stack.enter_context(node.vhost()))
        redis_url = broker.redis_url or servers.redis_url
        async with House(folder, url, redis_url, broker_url=broker.url).open() as house:
            verdict = await Storm(house, broker, seed=seed).run(for_s=for_s)
            faults = len(house.kills.read())
    await servers.drop_database(url)
    print(f"seed={seed} seconds={for_s:g} kills={faults} {verdict}", flush=True)
    return verdict.is_good


def is_good(going: Coroutine[Any, Any, bool]) -> bool:
    """Run a round; one that could not be finished is no good one."""
    try:
        return asyncio.run(going)
    except Exception:  # noqa: BLE001  # whatever it was: say it, and go on with the next round
        traceback.print_exc()
        return False


def main() -> int:
    """Run rounds until the time is over."""
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long to go on")
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count on")
    parser.add_argument("--broker", choices=BROKERS, default="valkey", help="what to kill")
    options = parser.parse_args()
    configure_logging(level="ERROR")
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    deadline = time.monotonic() + options.minutes * 60
    red = rounds = 0
    place = Path(tempfile.mkdtemp(prefix="tasuki-chaos-"))
    with ExitStack() as stack:
        servers = stack.enter_context(running_servers(_made(place / "servers")))
        node = None
        if options.broker == "rabbitmq":
            node = stack.enter_context(RabbitMq(place / "rabbitmq"))
        while (left_s := deadline - time.monotonic()) > 0:
            folder = place / f"seed-{seed}"
            for_s = min(_ROUND_S, max(left_s, 5.0))
            if is_good(storm(servers, node, folder, seed=seed, for_s=for_s)):
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


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    return folder


if __name__ == "__main__":
    sys.exit(main())
