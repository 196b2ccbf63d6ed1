"""nginx with nchan, as Debian brings both: the peer that is not written in Python."""

import json
import os
import shutil
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from bench.contest.field import process
from bench.crowd.message import TEXT

LISTEN = "/listen"
MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
_PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_START_S = 20.0

# Only what stands between a message and its sockets. It remembers as many as Tasuki does.
_CONFIGURATION = """
load_module {module};
{user}daemon off;
pid nginx.pid;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    scgi_temp_path scgi; uwsgi_temp_path uwsgi;
    keepalive_requests 1000000;
    nchan_message_buffer_length 300;
    server {{
        listen 127.0.0.1:{port};
        location = {listen} {{ nchan_subscriber websocket; nchan_channel_id all; }}
        location = /publish {{ nchan_publisher; nchan_channel_id all; }}
    }}
}}
"""


def why_not() -> str | None:
    """Return why it cannot be measured here, if it cannot."""
    if _PROGRAM and MODULE.exists():
        return None
    return (
        "nginx or its module nchan is not installed; as root on Debian or Ubuntu: ./dev services"
    )


@dataclass
class Nchan:
    """A running nginx."""

    port: int
    worker_pid: int

    def wait_for(self, sockets: int) -> None:
        """Wait until so many sockets will hear what is published."""
        url = f"http://127.0.0.1:{self.port}/publish"
        deadline = time.monotonic() + _START_S
        with httpx.Client(headers={"Accept": "application/json"}) as client:
            while (answer := client.get(url)).status_code != httpx.codes.OK or (
                answer.json()["subscribers"] < sockets
            ):
                if time.monotonic() > deadline:
                    raise SystemExit(f"nchan did not take all sockets: {answer.text}")
                time.sleep(0.02)

    def publish(self, count: int, together: int, first: int) -> float:
        """Publish by POST on one connection, several at once by pipelining."""
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.port), timeout=_START_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for start in range(first, first + count, together):
                numbers = range(start, min(start + together, first + count))
                connection.sendall(b"".join(map(_post, numbers)))
                _await_answers(connection, len(numbers))
        return began


def _post(number: int) -> bytes:
    body = json.dumps(
        {"type": "tick", "number": number, "text": TEXT}, separators=(",", ":")
    ).encode()
    return b"POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _await_answers(connection: socket.socket, count: int) -> None:
    data = b""
    while data.count(b"last message id: ") < count:  # the end of each
        more = connection.recv(65536)
        if not more:
            raise SystemExit(f"nchan refused: {data[-300:]!r}")
        data += more


@contextmanager
def running(folder: Path) -> Generator[Nchan]:
    """Run nginx for the length of a block."""
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        _CONFIGURATION.format(module=MODULE, user=user, port=port, listen=LISTEN)
    )
    argv = [str(_PROGRAM), "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]
    with process(argv, os.environ, folder / "output.log") as child:
        yield Nchan(port, _worker(child.pid, port, folder))


def _worker(pid: int, port: int, folder: Path) -> int:
    deadline = time.monotonic() + _START_S
    while True:
        workers = [
            one.pid for one in psutil.Process(pid).children() if "worker" in one.cmdline()[0]
        ]
        with socket.socket() as probe:
            if workers and probe.connect_ex(("127.0.0.1", port)) == 0:
                return workers[0]
        if time.monotonic() > deadline:
            raise SystemExit(f"nginx did not start:\n{(folder / 'error.log').read_text()[-2000:]}")
        time.sleep(0.02)
