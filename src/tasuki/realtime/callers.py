"""Whether who opens a stream may, and may go on."""

from collections.abc import Callable, Sequence

from tasuki.core.background import Background
from tasuki.core.errors import Unavailable
from tasuki.core.logging import get_logger
from tasuki.core.notices import Notices
from tasuki.core.registry import Registry
from tasuki.realtime.channels import Namespaces, UnknownChannel
from tasuki.realtime.connections import Connection
from tasuki.web.principal import Authenticator, Principal

log = get_logger(__name__)

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


class Revocation:
    """Sends a connection away when its user has lost the right to it.

    Asked at every notice about the user, the credential or a room; not in between, since each
    change of these sends one, and the pulse asks from time to time in case it was lost.
    """

    def __init__(self, services: Registry) -> None:
        self._services = services
        self._checks = Background()

    def watch(self, connection: Connection) -> Callable[[], None]:
        """Check a connection at each notice; return what ends that."""
        user = connection.user
        rooms = [f"rights:{channel}" for channel in connection.channels]
        keys = (f"credential:{user.credential}", f"user:{user.id}", *rooms)
        return self._services.get(Notices).call(lambda: self.check(connection), *keys)

    def check(self, connection: Connection) -> None:
        """Ask whether a connection may go on, and end it if not."""
        _ = self._checks.start(self._check(connection), name="recheck")

    async def close(self) -> None:
        """Ask no more."""
        await self._checks.close()

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
