"""The only place that asks the machine for the time.

Everything else is handed a `Clock`, so that a test can move time without patching.
Leases, delays and expiries do not use it: they live on the database's clock, the one
clock that all processes share.
"""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present moment as an aware UTC datetime."""


def rfc3339(moment: datetime) -> str:
    """Return an aware moment in UTC as RFC 3339 text."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def utc_now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)
