"""Runs PostgreSQL without root's rights, which it insists on.

A user namespace is the clean way: inside it the process is user 1000, outside the files
stay root's, nothing is created and no permission changes. Containers often forbid it;
then `setpriv` becomes `nobody`, who has to be handed the folder.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tasuki.embedded.errors import RootRefused

_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
_NOBODY = 65534
_SETPRIV = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")


def prefix_without_root(folder: Path, program: Path) -> tuple[str, ...]:
    """Return what to put before a command so that it does not run as root.

    Nothing for an ordinary user. With `setpriv`, the folder is opened to the group of
    `nobody` for passing through, not for reading.

    Args:
        folder: The data folder that the command must be able to enter.
        program: The program that it must be able to run.

    Raises:
        RootRefused: Neither a user namespace nor `setpriv` works here.
    """
    if os.geteuid() != 0:
        return ()
    if _works(_NAMESPACE, "true"):
        return _NAMESPACE
    if _works(_SETPRIV, "test", "-x", str(program)):
        os.chown(folder, -1, _NOBODY)
        folder.chmod(0o710)
        if _works(_SETPRIV, "test", "-x", str(folder)):
            return _SETPRIV
    raise RootRefused(
        "PostgreSQL does not run as root, and neither `unshare --user` nor `setpriv` can give up "
        f"root for {folder} here. Run as an ordinary user or set TASUKI_DATABASE_URL."
    )


def hand_over(prefix: Sequence[str], path: Path) -> None:
    """Give a file or folder to the user that commands with this prefix run as."""
    if prefix and prefix[0] == _SETPRIV[0]:
        os.chown(path, _NOBODY, _NOBODY)


def _works(prefix: Sequence[str], *command: str) -> bool:
    if shutil.which(prefix[0]) is None:
        return False
    done = subprocess.run(  # noqa: S603 - fixed commands
        [*prefix, *command], capture_output=True, timeout=10, check=False
    )
    return done.returncode == 0
