"""Another process that publishes, as a worker does; steered by lines of JSON."""

import asyncio
import json
import sys

from bench.crowd.publishing import publish

from tasuki import Tasuki


async def main() -> None:
    async with Tasuki().connected() as tasuki:
        print("{}", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            began = await publish(tasuki, **json.loads(line))
            print(json.dumps({"began": began}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
