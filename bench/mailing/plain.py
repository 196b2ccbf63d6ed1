"""The floor: one process, one kept connection, one message after the other."""

import smtplib
import sys
import time

from bench.mailing.words import message, people


def main(port: int, count: int) -> None:
    began = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as server:
        for to in people("plain", count):
            server.send_message(message(to))
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
