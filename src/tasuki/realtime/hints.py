"""Events that say only that something has changed, made of notices.

What changes often and is read from tables need not be published: the notice that goes to all
processes anyway becomes an event for those who are connected here. It has no data, no position and
no history; who comes back after a while reads the tables anew in any case.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from tasuki.core.clock import rfc3339, utc_now
from tasuki.core.notices import Notices
from tasuki.realtime.channels import Publication

_GATHER_S = 0.2  # five a second at most; the one after the last change is never left out


class Hints:
    """Those of one channel, for as long as somebody here follows it.

    Args:
        keys: The notice that causes each event, by the event's type.
        tell: Takes each event.
    """

    def __init__(
        self,
        channel: str,
        keys: Mapping[str, str],
        *,
        notices: Notices,
        tell: Callable[[Publication], None],
    ) -> None:
        self._channel = channel
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._stops = [notices.call(partial(self._note, kind), key) for kind, key in keys.items()]

    def close(self) -> None:
        """Tell nothing more."""
        for stop in self._stops:
            stop()
        for timer in self._waiting.values():
            timer.cancel()

    def _note(self, kind: str) -> None:
        if kind not in self._waiting:
            self._waiting[kind] = self._loop.call_later(_GATHER_S, self._say, kind)

    def _say(self, kind: str) -> None:
        del self._waiting[kind]
        key = f"{self._channel} {kind}"  # of those that wait for a slow client one is enough
        self._tell(Publication(self._channel, kind, "{}", rfc3339(utc_now()), key=key))
