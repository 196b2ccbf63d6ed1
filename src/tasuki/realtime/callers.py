"""Whether who opens a stream may, and may go on."""

from collections.abc import Sequence
from functools import partial

from tasuki.core.background import Background
from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.core.notices import Notices
from tasuki.core.registry import Registry
from tasuki.realtime.channels import Namespaces, Position, UnknownChannel
from tasuki.realtime.connections import Connection
from tasuki.web.principal import Authenticator, Principal

log = get_logger(__name__)

_AT_ONCE = 4  # each takes a connection to the database

REVOKED, FORBIDDEN, NO_SUCH = 4401, 4403, 4404
"""Why a connection is ended for good: not signed in, not theirs, or there is no such thing."""


async def check_channels(user: Principal, channels: Sequence[str], services: Registry) -> None:
    """Ask whether a user may see all of these channels.

    Raises:
        UnknownChannel: One does not exist, or is not for this user; the two look alike.
    """
    namespaces = services.get(Namespaces)
    for channel in channels:
        namespace, key = namespaces.read(channel)
        if not await namespace.may_see(user, key, services):
            raise UnknownChannel(f"There is no channel {channel[:100]!r} for you.")


async def beginnings(
    user: Principal, channels: Sequence[str], services: Registry
) -> dict[str, Position]:
    """Return where channels begin for a user, of those that do not with their history.

    Raises:
        NotFound: One is not for this user any more.
    """
    namespaces = services.get(Namespaces)
    found = {}
    for channel in channels:
        namespace, key = namespaces.read(channel)
        if namespace.begins is not None:
            found[channel] = await namespace.begins(user, key, services)
    return {channel: place for channel, place in found.items() if place is not None}


class Revocation:
    """Sends a connection away when its user has lost the right to it.

    Asked at every notice about the user, the credential or a channel's rights; and now and then,
    since a session also ends by the clock. When Redis was away everybody is asked about, a few at
    a time.
    """

    def __init__(self, services: Registry) -> None:
        self._services = services
        self._waiting: dict[Connection, None] = {}
        self._checks = Background()

    def watch(self, connection: Connection) -> None:
        """Check a connection until it is disconnected."""
        user = connection.user
        rights = [f"rights:{channel}" for channel in connection.channels]
        keys = (f"credential:{user.credential}", f"user:{user.id}", *rights)
        connection.recheck = partial(self._note, connection)
        connection.stop_notices = self._services.get(Notices).call(connection.recheck, *keys)
        connection.recheck()  # it may have ended since it was asked for

    async def close(self) -> None:
        """Ask no more."""
        await self._checks.close()

    def _note(self, connection: Connection) -> None:
        self._waiting[connection] = None
        if len(self._checks) < _AT_ONCE:
            _ = self._checks.start(self._check_waiting(), name="recheck")

    async def _check_waiting(self) -> None:
        while self._waiting:
            connection = next(iter(self._waiting))
            del self._waiting[connection]
            if not connection.ended_with:
                await self._check(connection)

    async def _check(self, connection: Connection) -> None:
        user = connection.user
        # Users of an application of one's own only it can check; it says so by `rights:` notices.
        is_ours = user.credential != "host"
        try:
            if is_ours and not await self._services.get(Authenticator).is_valid(user):
                connection.end(REVOKED, "signed out")
                return
            await check_channels(user, connection.channels, self._services)
        except UnknownChannel:
            connection.end(FORBIDDEN, "not yours any more")
        except Unavailable:
            log.warning("recheck_put_off", user_id=user.id)  # the pulse asks again
        except Exception:  # of a namespace's own rule; all others still have to be asked about
            log.exception("recheck_failed", user_id=user.id)
