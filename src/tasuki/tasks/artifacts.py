"""Files that tasks leave behind, on a folder that web and workers share.

A file appears under its name only when it is whole: it is written beside it, flushed to the
disk and renamed. Who may read it is decided elsewhere; here a file is only an id.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from tasuki.core.errors import ValidationFailed
from tasuki.core.files import settle
from tasuki.core.ids import new_id

_PART = ".part"
_MODE_FILE = 0o600
_MODE_FOLDER = 0o700


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A finished file: what it is called for people, and what it must be, byte for byte."""

    id: UUID
    name: str
    media_type: str
    size_bytes: int
    sha256: str

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return asdict(self) | {"id": str(self.id)}


class ArtifactWriter:
    """Takes the bytes of one file."""

    def __init__(self, file: BinaryIO, *, limit_bytes: int) -> None:
        self._file = file
        self._limit = limit_bytes
        self._hash = hashlib.sha256()
        self._artifact: Artifact | None = None
        self.size_bytes = 0

    async def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            ValidationFailed: The file grows over ``TASUKI_TASKS__MAX_ARTIFACT_BYTES``.
            OSError: The disk is full, or the folder is gone.
        """
        self.size_bytes += len(data)
        if self.size_bytes > self._limit:
            raise ValidationFailed(f"the file is larger than {self._limit} bytes")
        self._hash.update(data)
        await asyncio.to_thread(self._file.write, data)

    def finish(self, artifact_id: UUID, name: str, media_type: str) -> Artifact:
        """Note that the file is whole, and return it."""
        self._artifact = Artifact(
            id=artifact_id,
            name=name,
            media_type=media_type,
            size_bytes=self.size_bytes,
            sha256=self._hash.hexdigest(),
        )
        return self._artifact

    @property
    def artifact(self) -> Artifact:
        """The finished file: what a task returns after the block.

        Raises:
            RuntimeError: The block has not ended.
        """
        if self._artifact is None:
            msg = "the file is still being written; use `.artifact` after the `async with` block"
            raise RuntimeError(msg)
        return self._artifact


class ArtifactStore:
    """Keeps files under a folder, two levels deep so that no folder grows huge."""

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self._folder = folder
        self._limit = limit_bytes

    @asynccontextmanager
    async def create(self, name: str, media_type: str) -> AsyncGenerator[ArtifactWriter]:
        """Write a new file in a block; it exists when the block ends well, else never did."""
        artifact_id = new_id()
        path = self.path(artifact_id)
        part = path.with_suffix(_PART)
        file = await asyncio.to_thread(_open_new, part)
        writer = ArtifactWriter(file, limit_bytes=self._limit)
        try:
            yield writer
            await asyncio.to_thread(settle, file, part, path)
        except BaseException:
            file.close()
            part.unlink(missing_ok=True)
            raise
        writer.finish(artifact_id, _plain_name(name), media_type)

    def path(self, artifact_id: UUID) -> Path:
        """Return where the file of this id is kept."""
        text = artifact_id.hex
        # The last digits are random; the first are the time, the same for hours.
        return self._folder / text[-2:] / text

    async def delete(self, ids: Iterable[UUID]) -> None:
        """Delete files; one that is gone already is fine."""
        await asyncio.to_thread(self._delete, list(ids))

    def _delete(self, ids: list[UUID]) -> None:
        for artifact_id in ids:
            self.path(artifact_id).unlink(missing_ok=True)

    async def older_than(self, age_s: float) -> list[UUID]:
        """Return the ids of all files not touched for so long, to be compared with the rows."""
        return await asyncio.to_thread(self._older_than, age_s)

    def _older_than(self, age_s: float) -> list[UUID]:
        limit = time.time() - age_s
        found: list[UUID] = []
        for path in self._folder.glob("??/*"):
            if path.stat().st_mtime < limit:
                if path.suffix == _PART:
                    path.unlink(missing_ok=True)
                else:
                    found.append(UUID(hex=path.name))
        return found


def _plain_name(name: str) -> str:
    """Return a file name without folders and control characters."""
    plain = "".join(char for char in Path(name).name if char.isprintable()).strip()
    return plain[:200] or "file"


def _open_new(part: Path) -> BinaryIO:
    part.parent.mkdir(mode=_MODE_FOLDER, parents=True, exist_ok=True)
    return os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE_FILE), "wb")
