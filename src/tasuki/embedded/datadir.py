"""The folder that everything embedded lives in: private, and used by one Tasuki at a time."""

import errno
import fcntl
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasuki.embedded.errors import EmbeddedError, FolderInUse, FolderRefused

_LOCK_NAME = "lock"
_CLEANUP_LIMIT_S = 10.0  # the guard of a killed predecessor needs 2 to 3 s
_LOCK_POLL_S = 0.05
# Below the range that Linux takes the ports of outgoing connections from (32768 and up):
# nothing can take the port by chance between our choice and the server's start.
_PORTS = range(20_000, 32_000)


def private_folder(path: Path) -> Path:
    """Make the folder with mode 0700, or check the one that is there; return it absolute.

    A folder with contents that others can read is refused rather than closed: it may be
    somebody's home that was named by mistake.

    Raises:
        FolderRefused: It belongs to another user, or is open to others and not empty.
    """
    path = path.absolute()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise FolderRefused(f"{path} belongs to another user; choose another data folder.")
    if status.st_mode & 0o066:
        if any(path.iterdir()):
            raise FolderRefused(
                f"{path} can be read by other users. Close it (chmod 700) or choose another "
                "data folder."
            )
        path.chmod(0o700)
    return path


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Hold the folder's lock; yield its file descriptor.

    The lock goes with the process, however it ends. Hand the descriptor to the guard
    (`run(keep_open=…)`) and it also outlasts a killed supervisor until the guard has
    cleaned up; whoever starts next waits for that, 10 s at most.

    Raises:
        FolderInUse: A living process has the lock, or the clean-up takes too long.
        FolderRefused: As `private_folder`.
    """
    folder = private_folder(folder)
    fd = os.open(folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(fd, folder)
        os.truncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield fd
    finally:
        os.close(fd)


def _take(fd: int, folder: Path) -> None:
    deadline = time.monotonic() + _CLEANUP_LIMIT_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(fd, 32, 0).decode(errors="replace").strip()
            if _alive(owner) or time.monotonic() > deadline:
                raise FolderInUse(
                    f"another `tasuki up` is using {folder} (process {owner or 'unknown'}). "
                    "Stop it, or choose another folder with --data-dir."
                ) from None
            time.sleep(_LOCK_POLL_S)
        else:
            return


def _alive(pid: str) -> bool:
    if not pid.isdigit():
        return True  # it has the lock and has not written its number yet
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def secret(file: Path) -> str:
    """Return the secret kept in the file; the first call makes one of 256 random bits.

    The file has mode 0600 from its first moment and appears whole or not at all.
    """
    if not file.exists():
        write_private(file, secrets.token_hex(32) + "\n")
    return file.read_text().strip()


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read (0600), in one step."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as target:
        target.write(text)
        target.flush()
        os.fsync(target.fileno())
    fresh.replace(file)


def kept_port(file: Path) -> int:
    """Return the port of the last start if it is free, else another free one, and keep it.

    An unchanged port lets `psql` and bookmarks of yesterday work today.

    Raises:
        EmbeddedError: A hundred tries found no free port.
    """
    text = file.read_text().strip() if file.exists() else ""
    last = [int(text)] if text.isdigit() else []
    fresh = (secrets.choice(_PORTS) for _ in range(100))
    for port in (*last, *fresh):
        if _is_free(port):
            write_private(file, f"{port}\n")
            return port
    raise EmbeddedError(f"No free port between {_PORTS.start} and {_PORTS.stop} on 127.0.0.1.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers themselves do: a connection that is still fading away does not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as exc:
            if exc.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            return False
    return True
