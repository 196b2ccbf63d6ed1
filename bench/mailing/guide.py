"""The guide's way: a Celery task for each recipient, each with a connection of its own."""

import os
import sys

from bench.mailing.words import connected, message, people
from celery import Celery

_REDIS = os.environ["BENCH_REDIS_URL"]
app = Celery("guide", broker=_REDIS, backend=_REDIS)
app.conf.update(
    task_serializer="json",
    accept_content=["json"],
    task_acks_late=True,
    worker_prefetch_multiplier=1,
)


@app.task(name="guide.send_email", bind=True, max_retries=3)
def send_email(self: object, to: str) -> None:
    """Send one."""
    del self
    with connected() as server:
        server.send_message(message(to))


def order(count: int) -> None:
    """Order one for each."""
    for to in people("guide", count):
        send_email.delay(to)


if __name__ == "__main__":
    order(int(sys.argv[1]))
