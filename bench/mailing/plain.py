"""The floor: one process, one kept connection, one message after the other."""

import sys
import time

from bench.mailing.words import connected, message, people


def main(count: int) -> None:
    began = time.perf_counter()
    with connected() as server:
        for to in people("plain", count):
            server.send_message(message(to))
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main(int(sys.argv[1]))
