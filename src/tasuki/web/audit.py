"""What admins do with other people's things is written down."""

from typing import Protocol

from tasuki.core.database import Session
from tasuki.web.principal import Principal


class Auditor(Protocol):
    """Writes an admin's deed into the activity log; wiring hands the implementation in."""

    async def note(self, session: Session, admin: Principal, deed: str, target: str) -> None:
        """Note a deed, e.g. ``task.cancel`` on ``task:0190…``, in the same transaction."""
        ...
