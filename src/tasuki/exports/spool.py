"""The file behind every download.

It is written as fast as the database gives, and read as fast as the client takes. So a slow client
holds a file and no connection to the database, and what it has not got yet can be fetched again.
"""

import asyncio
import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import UUID

from tasuki.core.errors import ValidationFailed
from tasuki.exports.errors import ExportFailed

_MODE_FILE, _MODE_FOLDER = 0o600, 0o700
_PART = ".part"

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first bytes of a file, which somebody may have already.

    Attributes:
        sha256: In hexadecimal.
    """

    size: int
    sha256: str


class Spool:
    """One file, written at its end and read from its beginning at the same time.

    It has its name once it is whole.

    Args:
        beginning: What it must begin with; none: with anything.

    Attributes:
        size: Bytes written so far.
        is_whole: All are written, and the file has its name.
        is_ended: Whoever reads has been told so, or will be at the end.
    """

    def __init__(
        self, path: Path, *, max_bytes: int, keep_free: int, beginning: Beginning | None = None
    ) -> None:
        self._path = path
        self._part = path.with_suffix(_PART)
        self._max_bytes = max_bytes
        self._keep_free = keep_free
        self._beginning = beginning
        self._hash = hashlib.sha256()
        self._file = -1
        self._grown = asyncio.Event()
        self.size = 0
        self.is_whole = False
        self.is_ended = False
        self.fault: BaseException | None = None

    async def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            ExportFailed: The disk is full, but for ``TASUKI_EXPORTS__KEEP_FREE_BYTES``, or
                cannot be written. Or the file does not begin as it must.
            ValidationFailed: The file grows over ``TASUKI_EXPORTS__MAX_BYTES``.
        """
        if self.size + len(data) > self._max_bytes:
            raise ValidationFailed(f"the file is larger than {self._max_bytes} bytes")
        await _to_its_end(self._write, data)
        self._grown.set()

    async def finish(self) -> str:
        """Give the whole file its name, and return its SHA-256 in hexadecimal.

        Raises:
            ExportFailed: The disk is full, or cannot be written. Or the file is shorter than
                what it must begin with.
        """
        if self._lacks_beginning():
            raise _changed()
        await _to_its_end(self._finish)
        self.is_whole = True
        return self._hash.hexdigest()

    def end(self) -> None:
        """Let whoever reads know that this is all."""
        self.is_ended = True
        self._grown.set()

    def fail(self, fault: BaseException) -> None:
        """Let whoever reads know that there will be no more; the file is deleted."""
        self.fault = fault
        self._grown.set()
        for path in (self._part,) if self.is_whole else (self._part, self._path):
            path.unlink(missing_ok=True)

    def begun(self) -> Beginning | None:
        """Return the most that anybody can have of this file; none if that is nothing."""
        if self._lacks_beginning():
            return self._beginning
        return Beginning(self.size, self._hash.hexdigest()) if self.size else None

    def close(self) -> None:
        """Let go of the file, once nobody writes or reads it any more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    async def read(self, offset: int, *, most: int) -> bytes:
        """Return bytes from a place on as soon as there are any; nothing at the end.

        Raises:
            BaseException: What `fail` was told; there will be no more.
        """
        while self.size <= offset:
            if self.fault is not None:
                raise self.fault
            if self.is_ended:
                return b""
            self._grown.clear()
            await self._grown.wait()
        if self.fault is not None:
            raise self.fault
        return await _to_its_end(os.pread, self._file, min(most, self.size - offset), offset)

    def _lacks_beginning(self) -> bool:
        return self._beginning is not None and self.size < self._beginning.size

    def _open(self) -> None:
        if self._file < 0:
            self._part.parent.mkdir(mode=_MODE_FOLDER, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self._file = os.open(self._part, flags, _MODE_FILE)

    def _write(self, data: bytes) -> None:
        self._open()
        disk = os.fstatvfs(self._file)
        if disk.f_bavail * disk.f_frsize < self._keep_free + len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._take(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        self.size += len(data)

    def _take(self, data: bytes) -> None:
        """Take data into the hash, and compare it where the beginning ends."""
        begun = self._beginning
        if begun is not None and self.size < begun.size <= self.size + len(data):
            rest = begun.size - self.size
            self._hash.update(data[:rest])
            if self._hash.hexdigest() != begun.sha256:
                raise _changed()
            data = data[rest:]
        self._hash.update(data)

    def _finish(self) -> None:
        self._open()  # no rows as NDJSON are no bytes at all, and still a file
        self._part.rename(self._path)


class SpoolFolder:
    """Where the files of exports are.

    Args:
        folder: Shared by the web processes, so that each can send what another wrote.
        max_bytes: Of one file.
        keep_free: Bytes of the disk that are left to others.
    """

    def __init__(self, folder: Path, *, max_bytes: int, keep_free: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._keep_free = keep_free

    def create(self, run_id: UUID, *, beginning: Beginning | None = None) -> Spool:
        """Begin a file, perhaps one whose first bytes are known."""
        return Spool(
            self.path(run_id),
            max_bytes=self._max_bytes,
            keep_free=self._keep_free,
            beginning=beginning,
        )

    def path(self, run_id: UUID) -> Path:
        """Return where the whole file of an export is."""
        return self._folder / run_id.hex

    async def delete(self, run_ids: Iterable[UUID]) -> None:
        """Delete files; one that is gone already is fine."""
        await asyncio.to_thread(self._delete, list(run_ids))

    async def delete_older_than(self, age_s: float) -> int:
        """Delete what nobody has touched for so long, whatever it is; return how much that was."""
        return await asyncio.to_thread(self._delete_older_than, age_s)

    def _delete(self, run_ids: list[UUID]) -> None:
        for run_id in run_ids:
            self.path(run_id).unlink(missing_ok=True)
            self.path(run_id).with_suffix(_PART).unlink(missing_ok=True)

    def _delete_older_than(self, age_s: float) -> int:
        limit, deleted = time.time() - age_s, 0
        for path in self._folder.glob("*"):
            with suppress(FileNotFoundError):  # deleted by another process a moment ago
                if path.stat().st_mtime < limit:
                    path.unlink()
                    deleted += 1
        return deleted


async def _to_its_end(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Do something with a file in a thread, and return when that is over.

    Also if the caller is interrupted: no thread can be, and it would go on writing into a file
    that somebody has closed meanwhile.

    Raises:
        ExportFailed: The disk refuses.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        await asyncio.wait({running})
    except asyncio.CancelledError:
        await asyncio.wait({running})
        running.exception()
        raise
    try:
        return running.result()
    except OSError as exc:
        raise _told(exc) from exc


def _changed() -> ExportFailed:
    return ExportFailed("The rows are others by now, so what is missing cannot be added.")


def _told(exc: OSError) -> ExportFailed:
    if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
        return ExportFailed("The disk for exports is full.")
    return ExportFailed(f"The file of the export cannot be written: {exc.strerror}.")
