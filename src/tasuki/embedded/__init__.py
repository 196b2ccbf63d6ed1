"""PostgreSQL and Valkey without installing them, and the supervisor of `tasuki up`.

A database and a Valkey of one's own in a private folder:

    with locked(folder):
        with run_server(PostgresServer.prepare(folder)), run_server(ValkeyServer.prepare(folder)):
            ...

`run` keeps several processes alive until somebody says stop. Nothing here knows FastAPI,
Celery or SQLAlchemy.
"""

from tasuki.embedded.datadir import locked, private_folder
from tasuki.embedded.errors import EmbeddedError
from tasuki.embedded.postgres import PostgresServer
from tasuki.embedded.probes import http_ok, ready_file
from tasuki.embedded.server import Server, run_server
from tasuki.embedded.supervisor import Restarts, Service, run
from tasuki.embedded.valkey import ValkeyServer

__all__ = [
    "EmbeddedError",
    "PostgresServer",
    "Restarts",
    "Server",
    "Service",
    "ValkeyServer",
    "http_ok",
    "locked",
    "private_folder",
    "ready_file",
    "run",
    "run_server",
]
