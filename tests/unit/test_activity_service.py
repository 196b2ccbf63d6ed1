"""What may be recorded, with a repository that fits on the screen."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from tasuki.activity import Activity, ActivityRepository, ActivityService
from tasuki.activity.service import MAX_DATA_BYTES
from tasuki.core.database import Session
from tasuki.core.errors import ValidationFailed

NOW = datetime(2026, 3, 18, 15, 0, tzinfo=UTC)
NO_SESSION = cast(Session, None)


class ListRepository(ActivityRepository):
    """Keeps activity in a list."""

    def __init__(self) -> None:
        self.kept: list[Activity] = []

    async def add(self, session: Session, *, at: datetime | None, **values: Any) -> Activity:
        del session
        self.kept.append(Activity(id=len(self.kept), at=at or NOW, **values))
        return self.kept[-1]


def service() -> ActivityService:
    return ActivityService(clock=lambda: NOW, repository=ListRepository())


async def record(**values: Any) -> Activity:
    return await service().record(NO_SESSION, user_id=7, **{"kind": "post", **values})


async def test_any_kind_of_ones_own_is_recorded() -> None:
    """The known kinds are a start, not a list to choose from."""
    assert (await record(kind="shop.order")).kind == "shop.order"


async def test_sixteen_kilobytes_are_enough() -> None:
    """The limit is on the bytes of the JSON, as PostgreSQL gets them."""
    fits = {"x": "a" * (MAX_DATA_BYTES - len('{"x":""}'))}

    assert (await record(data=fits)).data == fits
    with pytest.raises(ValidationFailed, match="larger"):
        await record(data={"x": fits["x"] + "a"})


@pytest.mark.parametrize("data", [{"x": object()}, {"x": float("nan")}, {"x": {1, 2}}])
async def test_data_that_is_no_json_is_refused(data: dict[str, Any]) -> None:
    """Callers from Python get the same answer as those over HTTP."""
    with pytest.raises(ValidationFailed, match="data"):
        await record(data=data)


async def test_data_that_holds_itself_is_refused() -> None:
    """It has no end, and the check has one."""
    data: dict[str, Any] = {}
    data["me"] = data

    with pytest.raises(ValidationFailed, match="nested"):
        await record(data=data)


async def test_a_moment_without_timezone_is_refused() -> None:
    """Nobody would know when it was."""
    with pytest.raises(ValidationFailed, match="offset"):
        await record(at=datetime(2026, 3, 18, 12, 0))  # noqa: DTZ001  # that is the fault
