"""Certificates that only a test believes in."""

import ssl
from pathlib import Path

import trustme


class Authority:
    """Vouches for servers.

    Attributes:
        file: Its own certificate: who trusts it, trusts those it vouches for.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._authority = trustme.CA()
        self.file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def server(self, name: str) -> ssl.SSLContext:
        """Return what a server of this name shows."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(name).configure_cert(context)
        return context
