"""The guide's way: a Celery task for each recipient, each with a connection of its own."""

import os
import smtplib

from bench.mailing.words import message, people
from celery import Celery

app = Celery("guide", broker=os.environ["BENCH_REDIS_URL"])
app.conf.update(
    task_serializer="json",
    accept_content=["json"],
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
)


@app.task(name="guide.send_email", bind=True, max_retries=3)
def send_email(self: object, to: str) -> None:
    """Send one."""
    del self
    with smtplib.SMTP("127.0.0.1", int(os.environ["BENCH_SMTP_PORT"])) as server:
        server.send_message(message(to))


def order(count: int) -> None:
    """Order one for each."""
    for to in people("guide", count):
        send_email.delay(to)


if __name__ == "__main__":
    import sys

    order(int(sys.argv[1]))
