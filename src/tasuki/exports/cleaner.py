"""Deletes exports whose time is over."""

from tasuki.core.database import Session
from tasuki.exports.repository import ExportRepository
from tasuki.exports.settings import ExportsSettings
from tasuki.exports.spool import SpoolFolder

_GRACE_S = 3_600.0


class ExportCleaner:
    """Keeps table and folder of exports small; any process may."""

    def __init__(
        self,
        *,
        folder: SpoolFolder,
        settings: ExportsSettings,
        repository: ExportRepository | None = None,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._runs = repository or ExportRepository()

    async def delete_expired(self, session: Session, *, limit: int) -> int:
        """Delete expired exports with their files; return how many."""
        expired = await self._runs.delete_expired(session, limit=limit)
        await self._folder.delete(expired)
        return len(expired)

    async def delete_lost(self, session: Session) -> None:
        """Delete what processes were writing that are gone; its size may be of any kind."""
        await self._folder.delete(await self._runs.fail_lost(session))

    async def delete_strays(self) -> None:
        """Delete files that a process left behind which died before it could."""
        longest = self._settings.keep_s + self._settings.timeout_s
        await self._folder.delete_older_than(longest + _GRACE_S)
