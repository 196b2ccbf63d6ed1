"""The hub: brings what is published in channels to the connections of this process.

Each channel that somebody here has subscribed to has a feed, which is at one position. All its
subscribers are at the same one, so a publication is encoded once for all who get the same bytes.
What does not follow on the position means that something was missed: the feed reads the hole
from the history, and its subscribers notice nothing. Only if the history no longer has it do
they get a reset.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence

from tasuki.core.background import Background
from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.core.notices import Notices
from tasuki.realtime.broker import Broker
from tasuki.realtime.channels import Namespaces, Position, Publication, Slice
from tasuki.realtime.counts import Counts
from tasuki.realtime.feed import MOST_RECOVERED, Feed, Places, Subscription, Table
from tasuki.realtime.hints import Hints
from tasuki.realtime.outbox import Frame

log = get_logger(__name__)

_MOST_WAITING = 1_000  # publications that a feed holds while it reads the history
_NOWHERE = Position("now", 0)  # in channels without a history
_LOOK_EVERY_S = 5.0  # for rows of tables, without any notice
KEEP_PLACE_EVERY_S = 240.0
"""So often a broker is asked for each channel's history, which keeps the place of a silent one."""
_TURNS = int(KEEP_PLACE_EVERY_S / _LOOK_EVERY_S)


class Hub:
    """See the module.

    Args:
        tables: Where namespaces find their history that are made of rows.
    """

    def __init__(
        self,
        *,
        namespaces: Namespaces,
        broker: Broker,
        notices: Notices,
        tables: Mapping[str, Table],
    ) -> None:
        self.namespaces = namespaces
        self.counts = Counts()
        self._broker = broker
        self._notices = notices
        self._tables = tables
        self._feeds: dict[str, Feed] = {}
        self._reading = Background()

    async def run_for_ever(self) -> None:
        """Look at the histories now and then: a lost notice costs a delay, never an event.

        At tables often, at the broker's seldom and a part of them each time.
        """
        turn = 0
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self.look(turn)
            turn = (turn + 1) % _TURNS

    def look(self, turn: int) -> None:
        """Look at the histories whose turn it is, of 0 to 47; at those of tables it always is."""
        for number, feed in enumerate(list(self._feeds.values())):
            if feed.namespace.from_table or number % _TURNS == turn:
                self._read(feed)

    async def close(self) -> None:
        """End what is on its way."""
        await self._reading.close()

    def heard(self, publication: Publication) -> None:
        """See `Listener.heard`."""
        feed = self._feeds.get(publication.channel)
        if feed is None:
            return
        if publication.position is None:
            self._tell(feed, publication)
        elif feed.position is None or feed.reading is not None:
            self._keep(feed, publication)
        elif feed.follows(publication) is False:
            self._keep(feed, publication)
            self._read(feed)
        else:
            self._advance(feed, publication)

    def missed(self) -> None:
        """See `Listener.missed`."""
        for feed in list(self._feeds.values()):
            self._read(feed)

    async def attach(self, wanted: Subscription, since: Mapping[str, Position]) -> None:
        """Begin to send a client what is published in its channels, after what it missed.

        Args:
            since: Where it was in some of them; in the others it begins now.

        Raises:
            Unavailable: A history cannot be read now.
        """
        since = _not_before(wanted.begins, since)
        feeds: list[Feed] = []
        try:
            for channel in wanted.channels:
                feeds.append(await self._open(channel))  # kept if one fails
                await self._reach_beginning(feeds[-1], wanted.begins.get(channel))
            read = {feed.channel: await self._missing(feed, since) for feed in feeds}
        except BaseException:
            for feed in feeds:
                self._leave(feed)
            raise
        # No await from here on: the feeds stand still.
        self._catch_up(wanted, feeds, since, read)
        for feed in feeds:
            feed.join(wanted)

    def detach(self, attached: Subscription) -> None:
        """Send a client nothing more."""
        for channel in attached.channels:
            feed = self._feeds[channel]
            feed.part(attached)
            self._leave(feed)

    def places(self, channels: Sequence[str]) -> dict[str, Position]:
        """Return where subscribers of these channels are now, as far as any are attached."""
        feeds = [self._feeds[channel] for channel in channels if channel in self._feeds]
        return {feed.channel: feed.position for feed in feeds if feed.position is not None}

    async def _open(self, channel: str) -> Feed:
        feed = self._feeds.get(channel)
        if feed is None:
            feed = self._feeds[channel] = Feed(channel, *self.namespaces.read(channel))
        feed.users += 1
        try:
            while feed.position is None:
                if feed.opening is None:
                    await self._start(feed)
                else:
                    await asyncio.wait({feed.opening})
        except BaseException:
            self._leave(feed)
            raise
        return feed

    async def _start(self, feed: Feed) -> None:
        """Listen first, then find out where the channel is."""
        feed.opening = asyncio.get_running_loop().create_future()
        if feed.hints is None:
            keys = {kind: start + feed.key for kind, start in feed.namespace.hints.items()}
            feed.hints = Hints(feed.channel, keys, notices=self._notices, tell=self.heard)
        try:
            if feed.namespace.from_table:
                if feed.stop_notices is None:
                    feed.stop_notices = self._notices.call(lambda: self._read(feed), feed.channel)
            else:
                await self._broker.subscribe(feed.channel)
            feed.position = await self._newest(feed)
            self._take_waiting(feed)
            if feed.must_read_again:  # something happened after the newest was asked for
                self._read(feed)
        finally:
            feed.opening.set_result(None)
            feed.opening = None

    def _leave(self, feed: Feed) -> None:
        feed.users -= 1
        if feed.users:
            return
        if self._feeds.get(feed.channel) is feed:
            del self._feeds[feed.channel]
        if feed.reading is not None:
            feed.reading.cancel()
        if feed.hints is not None:
            feed.hints.close()
        if feed.stop_notices is not None:
            feed.stop_notices()
        elif not feed.namespace.from_table:
            self._broker.unsubscribe(feed.channel)

    async def _missing(self, feed: Feed, since: Mapping[str, Position]) -> Slice | None:
        """Read what a client missed, unless the feed still has it."""
        at = since.get(feed.channel)
        if at is None or feed.position is None or at.epoch != feed.position.epoch:
            return None
        await self._reach(feed, at)
        if feed.after(at, None) is not None:
            return None
        return await self._history(feed, at)

    async def _reach_beginning(self, feed: Feed, begins: Position | None) -> None:
        """Bring a feed to where it begins for a client, who must not be sent what is before."""
        if begins is not None:
            await self._reach(feed, begins)
            if feed.is_behind(begins):
                raise Unavailable("The channel is not up to date here.", retry_after_s=1)

    async def _reach(self, feed: Feed, at: Position) -> None:
        """Bring a feed to a position, if another process was faster."""
        if not feed.is_behind(at):
            return
        self._read(feed)
        if feed.reading is not None:
            await asyncio.wait({feed.reading}, timeout=_LOOK_EVERY_S)

    def _catch_up(
        self,
        wanted: Subscription,
        feeds: Sequence[Feed],
        since: Mapping[str, Position],
        read: Mapping[str, Slice | None],
    ) -> None:
        """Send what was missed; the places tell at each step what the client has by then."""
        now = self.places(wanted.channels)
        places = {**now, **{channel: since[channel] for channel in now if channel in since}}
        missed: list[Publication] = []
        lost: list[str] = []
        for feed in feeds:
            at = since.get(feed.channel)
            if at is None:
                continue
            found = feed.after(at, read[feed.channel])
            if found is None:
                self.counts.reset += 1
                lost.append(feed.channel)
            else:
                self.counts.recovered += 1
                missed += found
        # Not at the new place yet: a client that is cut off here must hear of the loss again.
        wanted.on_begun(places)
        if lost:
            places |= {channel: now[channel] for channel in lost}
            self._reset(wanted, lost, places)
        for publication in missed:
            if publication.position is not None:
                places[publication.channel] = publication.position
            data = wanted.format.publication(publication, places)
            if data is not None:
                wanted.outbox.put(Frame(data))

    def _keep(self, feed: Feed, publication: Publication) -> None:
        feed.waiting.append(publication)
        if len(feed.waiting) > _MOST_WAITING:
            feed.waiting.clear()
            feed.must_read_again = True

    def _advance(self, feed: Feed, publication: Publication) -> None:
        if feed.follows(publication):
            feed.position = publication.position
            feed.recent.append(publication)
            self._tell(feed, publication)

    def _tell(self, feed: Feed, publication: Publication) -> None:
        when_slow, key = feed.namespace.when_slow, publication.key
        for group in feed.groups.values():
            data = group.format.publication(publication, self.places(group.channels))
            if data is None:
                continue
            frame = Frame(data, when_slow, key)
            for outbox in group.members.values():
                outbox.put(frame)

    def _reset(self, subscription: Subscription, channels: Sequence[str], places: Places) -> None:
        data = subscription.format.reset(channels, places)
        if data is None:
            subscription.on_lost()
        else:
            subscription.outbox.put(Frame(data))

    def _read(self, feed: Feed) -> None:
        """Read from the history what a feed may have missed."""
        feed.must_read_again = True
        if feed.reading is None and feed.position is not None and feed.is_remembered:
            feed.reading = self._reading.start(self._read_on(feed), name="feed-read")

    async def _read_on(self, feed: Feed) -> None:
        try:
            while feed.must_read_again and feed.position is not None:
                feed.must_read_again = False
                try:
                    read = await self._history(feed, feed.position)
                except Unavailable:
                    feed.must_read_again = True
                    await asyncio.sleep(random.uniform(0.1, 0.5))  # noqa: S311  # spreads load
                    continue
                self._take(feed, read)
                self._take_waiting(feed)
        finally:
            feed.reading = None

    def _take(self, feed: Feed, read: Slice) -> None:
        if read.is_whole:
            # Of rows a process learns by reading; of others, if it has missed something.
            self.counts.gap_repairs += bool(read.publications) and not feed.namespace.from_table
            for publication in read.publications:
                self._advance(feed, publication)
            feed.must_read_again |= len(read.publications) == MOST_RECOVERED
            return
        feed.position = read.position
        feed.recent.clear()
        for group in list(feed.groups.values()):
            self.counts.reset += len(group.members)
            for member in list(group.members):
                self._reset(member, [feed.channel], self.places(member.channels))

    def _take_waiting(self, feed: Feed) -> None:
        waiting, feed.waiting = feed.waiting, []
        for publication in waiting:
            if feed.follows(publication) is False:
                feed.must_read_again = True
                return
            self._advance(feed, publication)

    async def _newest(self, feed: Feed) -> Position:
        if feed.is_remembered:
            return (await self._history(feed, None)).position
        return _NOWHERE

    async def _history(self, feed: Feed, since: Position | None) -> Slice:
        if feed.namespace.from_table:
            table = self._tables[feed.namespace.name]
            return await table.history(feed.key, since, most=MOST_RECOVERED)
        return await self._broker.history(feed.channel, since, most=MOST_RECOVERED)


def _not_before(begins: Places, since: Mapping[str, Position]) -> dict[str, Position]:
    """Return where a client was, but nowhere before the channel begins for it."""
    at = dict(since)
    for channel, place in begins.items():
        was = at.get(channel)
        if was is not None and was.epoch == place.epoch:
            at[channel] = max(was, place, key=lambda one: one.offset)
    return at
