"""The JSON of reports."""

from functools import cache
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tasuki.reports.numbers import LONGEST_PERIOD_DAYS
from tasuki.tasks.telling import MAIL_ME

_MAX_ID = 2**63 - 1  # PostgreSQL's bigint


def zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises:
        ValueError: There is none of this name.
    """
    # Compared with the list first: the name becomes part of a file's path.
    if name not in _names():
        msg = f"unknown time zone {name!r}; use an IANA name such as Europe/Berlin or Asia/Tokyo"
        raise ValueError(msg)
    return ZoneInfo(name)


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


def _known(name: str) -> str:
    zone(name)
    return name


TimezoneName = Annotated[str, AfterValidator(_known)]


class ReportOrder(BaseModel):
    """Which report to make."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: int = Field(
        default=30, ge=1, le=LONGEST_PERIOD_DAYS, description="Length of the period in days."
    )
    timezone: TimezoneName = Field(default="UTC", description="IANA name; where a day begins.")
    language: Literal["en", "ja"] = Field(default="en", description="Language of the report.")
    user_id: int | None = Field(
        default=None,
        ge=1,
        le=_MAX_ID,
        description="Whose activity; default: yours. Another's for admins only.",
    )
    mail_me: bool = MAIL_ME


class ReportAccepted(BaseModel):
    """The order was taken."""

    task_id: UUID
    message: str = "Report generation started"
