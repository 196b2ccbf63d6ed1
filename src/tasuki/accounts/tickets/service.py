"""Decides how a ticket is made, and what it is good for.

A ticket travels in an address, which ends up in logs and histories. So it opens one stream or
socket, within half a minute, and is worth no more than the session or token it was made with.
"""

from datetime import datetime, timedelta

from tasuki.accounts.errors import TooManyTickets, UserNotFound
from tasuki.accounts.repository import UserRepository
from tasuki.accounts.tickets.repository import TicketRepository
from tasuki.core.database import Session
from tasuki.core.ids import fingerprint, new_secret
from tasuki.web.principal import Principal

MAX_TICKETS = 100
"""Tickets of a user that are neither used nor over."""
_PREFIX = "tkt_"
_LIFETIME = timedelta(seconds=30)
_MAX_TEXT = 128  # ours have less than half of it


class TicketService:
    """Makes, takes and deletes tickets, each call within the caller's transaction."""

    def __init__(
        self,
        *,
        users: UserRepository | None = None,
        tickets: TicketRepository | None = None,
    ) -> None:
        self._users = users or UserRepository()
        self._tickets = tickets or TicketRepository()

    async def create(self, session: Session, user: Principal) -> tuple[str, datetime]:
        """Make a ticket and return its text, which nobody can ask for again, and its end.

        Raises:
            UserNotFound: The user was disabled meanwhile.
            TooManyTickets: They hold `MAX_TICKETS` already.
        """
        # Held: two calls at once must not both find room.
        if await self._users.hold_enabled(session, user.id) is None:
            raise UserNotFound(user.id)
        if await self._tickets.count(session, user.id) >= MAX_TICKETS:
            raise TooManyTickets(MAX_TICKETS, retry_after_s=int(_LIFETIME.total_seconds()))
        ticket = new_secret(_PREFIX)
        expires_at = await self._tickets.add(
            session,
            fingerprint(ticket),
            user_id=user.id,
            credential=user.credential,
            lifetime=_LIFETIME,
        )
        return ticket, expires_at

    async def take(self, session: Session, ticket: str) -> str | None:
        """Use a ticket up, and return the credential it was made with.

        Whether that credential is still good is another question. Nothing is returned for what is
        no ticket, is over, or was used before; of several who try at once, one gets it.
        """
        if not ticket.startswith(_PREFIX) or len(ticket) > _MAX_TEXT:
            return None
        return await self._tickets.take(session, fingerprint(ticket))

    async def delete_ended(self, session: Session, *, limit: int) -> int:
        """Delete up to so many tickets that are over; return how many."""
        return await self._tickets.delete_ended(session, limit=limit)
