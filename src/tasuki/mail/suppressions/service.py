"""Decides which addresses are written to no more."""

from tasuki.core.database import Session
from tasuki.core.errors import NotFound, ValidationFailed
from tasuki.mail.addresses import address_key, check_address
from tasuki.mail.records import Suppression
from tasuki.mail.suppressions.repository import SuppressionRepository

_MOST_DETAIL = 500  # characters


class SuppressionService:
    """Keeps the list, each call within the caller's transaction.

    An address whose mail system said that there is nobody comes onto it by itself. Messages that
    wait are looked up again when their turn comes, so who is put onto it gets none of them.
    """

    def __init__(self, repository: SuppressionRepository | None = None) -> None:
        self._suppressions = repository or SuppressionRepository()

    async def add(self, session: Session, address: str, *, detail: str = "") -> Suppression:
        """Write to an address no more; twice is fine.

        Raises:
            ValidationFailed: It is no address, or the detail is too long.
        """
        if len(detail) > _MOST_DETAIL:
            raise ValidationFailed(f"detail: at most {_MOST_DETAIL} characters")
        checked = check_address(address).addr_spec
        key = address_key(checked)
        await self._suppressions.add(
            session, key=key, address=checked, reason="by_hand", detail=detail
        )
        return await self.get(session, checked)

    async def unsubscribe(self, session: Session, address: str) -> None:
        """Send an address no more of what is sent to many; twice is fine."""
        await self._suppressions.add(
            session, key=address_key(address), address=address, reason="unsubscribed", detail=""
        )

    async def get(self, session: Session, address: str) -> Suppression:
        """Return the suppression of an address.

        Raises:
            NotFound: It is not suppressed.
        """
        found = await self._suppressions.find(session, address_key(address))
        if found is None:
            raise NotFound(f"{address[:80]} is not suppressed.")
        return found

    async def remove(self, session: Session, address: str) -> None:
        """Write to an address again.

        Raises:
            NotFound: It is not suppressed.
        """
        if not await self._suppressions.remove(session, address_key(address)):
            raise NotFound(f"{address[:80]} is not suppressed.")

    async def page(
        self, session: Session, *, after: str | None, starts_with: str, limit: int
    ) -> list[Suppression]:
        """Return suppressions in the order of their addresses."""
        return await self._suppressions.page(
            session,
            after=None if after is None else address_key(after),
            starts_with=address_key(starts_with),
            limit=limit,
        )
