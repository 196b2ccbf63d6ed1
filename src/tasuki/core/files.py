"""Files that appear under their name only when they are whole, and survive a power cut then."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def whole_file(path: Path) -> Generator[IO[bytes]]:
    """Write a file in a block; it stands under its name when the block ends well, else never.

    A file that was there before stays as it was until then.

    Raises:
        OSError: It cannot be written.
    """
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".part", delete=False
    ) as file:
        part = Path(file.name)
        try:
            yield file
            settle(file, part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def settle(file: IO[bytes], part: Path, path: Path) -> None:
    """Bring what was written to the disk, and give it its name."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # or the new name may be gone after a power cut
    finally:
        os.close(folder)
