"""Puts the numbers of each queue and lane side by side."""

from tasuki.tasks.brokers import broker_queue
from tasuki.tasks.declare import Catalogue
from tasuki.tasks.observing.broker import BrokerDepths
from tasuki.tasks.observing.numbers import LATELY_S, TaskNumbers
from tasuki.tasks.observing.records import Ended, Picture
from tasuki.tasks.observing.schemas import QueueOut
from tasuki.tasks.states import LANES, WAITING, WORKER_LANES, State


class QueueOverview:
    """What waits, runs and has ended in each queue, by lane."""

    def __init__(
        self, *, catalogue: Catalogue, numbers: TaskNumbers, depths: BrokerDepths
    ) -> None:
        self._catalogue = catalogue
        self._numbers = numbers
        self._depths = depths

    async def read(self) -> list[QueueOut]:
        """Return every queue that tasks are declared for, in every lane.

        Raises:
            Unavailable: The database does not answer.
        """
        picture = await self._numbers.picture()
        ended = {(row.queue, row.lane): row for row in await self._numbers.ended_lately()}
        places = [(queue, lane) for queue in self._catalogue.queues for lane in LANES]
        names = {
            (queue, lane): broker_queue(queue, lane)
            for queue, lane in places
            if lane in WORKER_LANES
        }
        bells = await self._depths.read(list(names.values()))
        return [
            _queue(
                picture,
                place,
                ended=ended.get(place),
                bells=bells.get(names.get(place, "")),
            )
            for place in places
        ]


def _queue(
    picture: Picture, place: tuple[str, str], *, ended: Ended | None, bells: int | None
) -> QueueOut:
    groups = [group for group in picture.standing if (group.queue, group.lane) == place]
    waiting = [group for group in groups if group.state in WAITING]
    unrung = [group.unrung_s for group in waiting if group.unrung_s is not None]
    untaken = [group.untaken_s for group in waiting if group.untaken_s is not None]
    return QueueOut(
        queue=place[0],
        lane=place[1],
        waiting=sum(group.due for group in waiting),
        scheduled=sum(group.count - group.due for group in waiting),
        running=sum(group.count for group in groups if group.state not in WAITING),
        retrying=sum(group.count for group in waiting if group.state == State.RETRYING),
        oldest_due_s=max(unrung + untaken, default=None),
        dispatch_lag_s=max(unrung, default=None),
        ended_per_minute=round(ended.count * 60 / LATELY_S, 3) if ended else 0,
        failed_lately=ended.failed if ended else 0,
        bells=bells,
    )
