"""Forgets what is over: tasks past their retention, and files that no row knows."""

from tasuki.tasks.artifacts import ArtifactStore
from tasuki.tasks.engine.repository import EngineRepository

_AT_ONCE = 500  # rows of one transaction: short locks, however much has piled up
STRAY_AFTER_S = 86_400.0
"""A file that no row knows may still be written until it is so old."""


class Cleaner:
    """Deletes rows and files together."""

    def __init__(self, *, repository: EngineRepository, artifacts: ArtifactStore) -> None:
        self._repository = repository
        self._artifacts = artifacts

    async def purge(self) -> int:
        """Delete tasks whose retention is over, with their events and files; return how many.

        A process that dies between the rows and the files leaves files that `sweep` finds.
        """
        deleted, found = 0, _AT_ONCE
        while found == _AT_ONCE:
            found, files = await self._repository.purge(most=_AT_ONCE)
            await self._artifacts.delete(files)
            deleted += found
        return deleted

    async def sweep(self, *, older_than_s: float = STRAY_AFTER_S) -> int:
        """Delete files that no row knows: their task was refused, or died before its end."""
        found = await self._artifacts.older_than(older_than_s)
        deleted = 0
        for start in range(0, len(found), _AT_ONCE):
            unknown = await self._repository.unknown_artifacts(found[start : start + _AT_ONCE])
            await self._artifacts.delete(unknown)
            deleted += len(unknown)
        return deleted
