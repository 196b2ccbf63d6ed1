"""Signed links by which somebody takes their address out of sendings (RFC 8058, RFC 2369)."""

from itsdangerous import BadSignature, URLSafeSerializer

from tasuki.core.database import Database
from tasuki.core.errors import NotFound
from tasuki.mail.addresses import address_key
from tasuki.mail.suppressions.repository import SuppressionRepository

PATH = "/u/"
_MOST = 1_000  # characters of a token


class UnsubscribeLinks:
    """Makes links that only we can make, and reads them.

    They stay good: a mail may be opened years later.

    Args:
        key: What signs them; none: a key that the database keeps.
    """

    def __init__(self, *, database: Database, key: str | None) -> None:
        self._database = database
        self._serializer = None if key is None else _serializer(key)

    async def headers(self, recipient: str, base: str) -> dict[str, str]:
        """Return the headers by which a mail program offers to unsubscribe with one click.

        Args:
            base: Where this system is reached, e.g. ``https://tasks.example.org``.
        """
        return {
            "List-Unsubscribe": f"<{await self.link(recipient, base)}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }

    async def link(self, recipient: str, base: str) -> str:
        """Return the link of an address."""
        token = (await self._signing()).dumps(address_key(recipient))
        return f"{base.rstrip('/')}{PATH}{token}"

    async def read(self, token: str) -> str:
        """Return the address that a link is for.

        Raises:
            NotFound: We did not make it.
        """
        try:
            address = (await self._signing()).loads(token) if len(token) <= _MOST else None
        except BadSignature:
            address = None
        if not isinstance(address, str):
            raise NotFound("This link is not whole; copy all of it from the mail.")
        return address

    async def _signing(self) -> URLSafeSerializer:
        if self._serializer is None:
            async with self._database.unit_of_work() as session:
                key = await SuppressionRepository().link_key(session)
            self._serializer = _serializer(key)
        return self._serializer


def _serializer(key: str) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt="tasuki.mail.unsubscribe")
