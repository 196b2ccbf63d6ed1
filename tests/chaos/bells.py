"""Bells rung by strangers."""

from typing import Any

from chaos.house import House
from tasuki.tasks.celery import build_celery_app


def ring(url: str, house: House, count: int, **kwargs: Any) -> None:
    """Ring for `chaos.work` so many times."""
    send(url, house, count, "chaos.work", "default", kwargs={"queue": "default", **kwargs})


def send(url: str, house: House, count: int, name: str, to: str, **options: Any) -> None:
    """Send so many messages for a task to one of the broker's queues."""
    app = build_celery_app(url, house.tasuki.catalogue)
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(count):
            app.send_task(name, queue=to, producer=producer, ignore_result=True, **options)
    app.close()
