"""Decides when somebody has tried too many wrong passwords.

Three counts are kept, each in a fixed window: one account from one address, one account from
everywhere, one address at all accounts. They are in PostgreSQL, so all processes share them.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from tasuki.accounts.limits.repository import AttemptRepository
from tasuki.accounts.settings import AccountsSettings
from tasuki.core.database import Database, Session
from tasuki.core.errors import RateLimited, Unavailable
from tasuki.core.ids import fingerprint


@dataclass(frozen=True, slots=True)
class _Limit:
    key: bytes
    most: int


class LoginLimits:
    """Counts wrong sign-ins, in transactions of its own: a refused sign-in rolls back."""

    def __init__(
        self,
        *,
        database: Database,
        settings: AccountsSettings,
        repository: AttemptRepository | None = None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._attempts = repository or AttemptRepository()

    @asynccontextmanager
    async def attempt(self, account: str, address: str | None) -> AsyncGenerator[None]:
        """Check one password within this block; raising out of it leaves the attempt counted.

        It is counted before and taken back after, so that many guesses sent at the same
        moment are no way around the limit.

        Args:
            account: What names the account, one that exists or not.
            address: Where the call comes from; the network of an IPv6 address counts.

        Raises:
            RateLimited: Too many were wrong in this window; nothing was checked.
        """
        limits = self._limits(account, _network(address))
        async with self._database.unit_of_work() as session:
            await self._count(session, limits)
        try:
            yield
        except Unavailable:  # nobody's fault, so nobody's count
            await self._take_back(limits)
            raise
        await self._take_back(limits)

    async def delete_ended(self, session: Session, *, limit: int) -> int:
        """Delete up to so many counts whose window is over; return how many."""
        return await self._attempts.delete_ended(session, limit=limit)

    async def _count(self, session: Session, limits: Sequence[_Limit]) -> None:
        window = timedelta(seconds=self._settings.login_window_s)
        counts = await self._attempts.count(
            session, [limit.key for limit in limits], window=window
        )
        waits = [
            seconds
            for limit in limits
            for failures, seconds in [counts[limit.key]]
            if failures > limit.most
        ]
        if waits:  # leaving by an exception: what is refused is not counted either
            raise RateLimited("Too many wrong sign-ins; wait a little.", retry_after_s=max(waits))

    async def _take_back(self, limits: Sequence[_Limit]) -> None:
        async with self._database.unit_of_work() as session:
            await self._attempts.take_back(session, [limit.key for limit in limits])

    def _limits(self, account: str, network: str) -> list[_Limit]:
        settings = self._settings
        return [
            _Limit(
                _key("account and address", account, network),
                settings.login_failures_per_account_and_address,
            ),
            _Limit(_key("account", account), settings.login_failures_per_account),
            _Limit(_key("address", network), settings.login_failures_per_address),
        ]


def _key(*parts: str) -> bytes:
    return fingerprint("\n".join(parts))


def _network(address: str | None) -> str:
    """Return what one caller cannot change at will: an IPv4 address, or an IPv6 /64."""
    try:
        number = ip_address(address or "")
    except ValueError:
        return address or "unknown"
    if not isinstance(number, IPv6Address):
        return str(number)
    if number.ipv4_mapped is not None:
        return str(number.ipv4_mapped)
    return str(ip_network((int(number), 64), strict=False))
