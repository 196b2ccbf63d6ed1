"""Decides how somebody shows that they read the address they have given.

A link goes to the address; whoever brings it back, signed in or not, has read the mail. It works
once, for a day, and only while the address is still the user's.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from tasuki.core.database import Session
from tasuki.core.errors import Conflict, NotFound, RateLimited
from tasuki.core.ids import fingerprint, new_secret
from tasuki.mail.service import MailService
from tasuki.mail.templates import Templates
from tasuki.mail.verifying.repository import KEYS, VerificationRepository

LIFETIME = timedelta(hours=24)
MOST_AN_HOUR = 3
"""Links that a user is sent in an hour: enough for who mistyped, no toy for who annoys."""

_HOUR = timedelta(hours=1)
_PAGE = "/verify#token="  # behind the hash: it reaches no server, so no log either


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnAddress:
    """The address that a user has given.

    Attributes:
        name: How they are greeted.
    """

    address: str
    is_verified: bool
    name: str


class OwnAddresses(Protocol):
    """Knows the addresses that users have given."""

    async def own_address(self, session: Session, user_id: int) -> OwnAddress:
        """Return a user's."""
        ...

    async def note_verified(self, session: Session, user_id: int, address: str) -> bool:
        """Note that a user reads an address; return False if it is not theirs any more."""
        ...


class VerificationService:
    """Sends links and takes them back, each call within the caller's transaction."""

    def __init__(
        self,
        *,
        mails: MailService,
        templates: Templates,
        addresses: OwnAddresses,
        repository: VerificationRepository | None = None,
    ) -> None:
        self._mails = mails
        self._templates = templates
        self._addresses = addresses
        self._links = repository or VerificationRepository()

    async def send(self, session: Session, user_id: int, *, base: str, language: str) -> str:
        """Send a user a link, and return the address it goes to; an earlier link is void.

        Args:
            base: Where they reach this system, e.g. ``https://tasks.example.org``.

        Raises:
            Conflict: The address is verified.
            RateLimited: `MOST_AN_HOUR` were sent.
            ValidationFailed: No mail can be sent to the address.
            Unavailable: No mail system is set up.
        """
        own = await self._addresses.own_address(session, user_id)
        if own.is_verified:
            raise Conflict(f"{own.address} is verified.")
        token = new_secret()
        hashed = fingerprint(token)
        await self._links.put(
            session, user_id, token_hash=hashed, address=own.address, lifetime=LIFETIME
        )
        if await self._links.sent(session, user_id, within=_HOUR) >= MOST_AN_HOUR:
            raise RateLimited(
                f"You were sent {MOST_AN_HOUR} links within an hour; look for the newest.",
                retry_after_s=600,
            )
        words = self._templates.render(
            "verify",
            {
                "name": own.name,
                "link": f"{base.rstrip('/')}{_PAGE}{token}",
                "hours": int(LIFETIME / _HOUR),
                "language": language,
            },
        )
        await self._mails.order(
            session,
            to=own.address,
            subject=words.subject or "",
            html=words.html,
            text=words.text,
            owner_id=user_id,
            idempotency_key=f"{KEYS}{hashed.hex()}",
        )
        return own.address

    async def verify(self, session: Session, token: str) -> None:
        """Take a link back.

        Raises:
            NotFound: It was not made by us, or is used, replaced or too old, or the address is
                not the user's any more; all look alike, so that nobody learns by trying.
        """
        taken = await self._links.take(session, fingerprint(token))
        if taken is None or not await self._addresses.note_verified(session, *taken):
            raise NotFound(
                "This link is used, too old or not whole; ask for a new one on your account page."
            )
