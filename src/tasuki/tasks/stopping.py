"""How a worker's processes are told to stop.

First nothing new is taken, and what runs gets its time; then, or when somebody asks a second
time, what still runs is interrupted and given back, to begin again elsewhere.
"""

import signal
import threading
from typing import Any

from tasuki.tasks.engine.stopsign import StopSign


def stop(sign: StopSign, *, grace_s: float) -> None:
    """Take nothing new; give back what runs after its time, or at once if this is repeated."""
    if sign.is_stopping:
        sign.release()
        return
    sign.stop()
    timer = threading.Timer(grace_s, sign.release)
    timer.daemon = True
    timer.start()


def one_way_to_stop(sign: StopSign) -> None:
    """Let every signal stop a worker as Celery's SIGTERM does.

    Celery would end what runs at a second Ctrl-C or at SIGQUIT, which counts as a crash. Here
    the tasks are given back at once.
    """
    warm: Any = signal.getsignal(signal.SIGTERM)

    def at_once(number: int, frame: Any) -> None:
        sign.release()
        warm(number, frame)

    signal.signal(signal.SIGINT, warm)
    signal.signal(signal.SIGQUIT, at_once)
