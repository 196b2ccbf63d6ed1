"""Storms for as long as you like: ``./dev chaos --minutes 30 --seed 7``.

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
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos.broker import Valkey  # run as a file, so its folder comes first
from chaos.house import House
from chaos.storm import Storm
from support.servers import Servers, running_servers
from tasuki.core.logging import configure_logging

_ROUND_S = 60.0


async def storm(servers: Servers, folder: Path, *, seed: int, for_s: float) -> bool:
    """Run one round; return whether it was good."""
    url = await servers.create_database()
    (folder / "valkey").mkdir(mode=0o700, parents=True)
    with Valkey(folder / "valkey") as valkey:
        async with House(folder, url, valkey.url).open() as house:
            verdict = await Storm(house, valkey, seed=seed).run(for_s=for_s)
            faults = len(house.kills.read())
    await servers.drop_database(url)
    print(f"seed={seed} seconds={for_s:g} kills={faults} {verdict}", flush=True)
    return verdict.is_good


def main() -> int:
    """Run rounds until the time is over."""
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long to go on")
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count on")
    options = parser.parse_args()
    configure_logging(level="ERROR")
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    deadline = time.monotonic() + options.minutes * 60
    red = rounds = 0
    place = Path(tempfile.mkdtemp(prefix="tasuki-chaos-"))
    with ExitStack() as stack:
        servers = stack.enter_context(running_servers(_made(place / "servers")))
        while (left_s := deadline - time.monotonic()) > 0:
            folder = place / f"seed-{seed}"
            for_s = min(_ROUND_S, max(left_s, 5.0))
            if asyncio.run(storm(servers, folder, seed=seed, for_s=for_s)):
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
