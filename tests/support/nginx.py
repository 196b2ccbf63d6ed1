"""A real nginx with the configuration that the project ships, on free ports of its own."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.pages import ROOT
from support.servers import free_port
from support.waiting import until

SHIPPED = ROOT / "deploy" / "nginx" / "tasuki.conf"
_PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@dataclass(frozen=True)
class Nginx:
    """A running nginx.

    Attributes:
        url: Its address, over TLS.
        certificate: What a client trusts to believe it.
        log: The log that the configuration names.
    """

    url: str
    certificate: Path
    log: Path


def need_nginx() -> None:
    """Skip the test where there is no nginx, or fail where it must be there."""
    if _PROGRAM and shutil.which("openssl"):
        return
    reason = "nginx or openssl is not installed; as root on Debian or Ubuntu: ./dev services"
    if os.environ.get("TASUKI_TEST_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@asynccontextmanager
async def running_nginx(folder: Path, ports: Sequence[int]) -> AsyncGenerator[Nginx]:
    """Run the shipped configuration in front of two web processes on these ports."""
    folder.mkdir(parents=True, exist_ok=True)
    https, certificate = free_port(), _make_certificate(folder)
    log = folder / "tasuki.log"
    _write_configuration(folder, https=https, ports=ports, certificate=certificate, log=log)
    async with _running(folder, https):
        yield Nginx(f"https://127.0.0.1:{https}", certificate, log)


@asynccontextmanager
async def running_plain_nginx(folder: Path, port: int) -> AsyncGenerator[str]:
    """Run what Debian installs, with one line for a web process: give its address.

    So nginx asks with HTTP/1.0, keeps answers for slow clients in files, and compresses some.
    """
    folder.mkdir(parents=True, exist_ok=True)
    http = free_port()
    server = (
        f"server {{ listen 127.0.0.1:{http} default_server; server_name _;"
        f" location / {{ proxy_pass http://127.0.0.1:{port}; }} }}"
    )
    _write_frame(
        folder, f"sendfile on; tcp_nopush on; types_hash_max_size 2048; gzip on;\n{server}"
    )
    async with _running(folder, http):
        yield f"http://127.0.0.1:{http}"


@asynccontextmanager
async def _running(folder: Path, port: int) -> AsyncGenerator[None]:
    process = await asyncio.to_thread(_start, folder)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        await until(answers, within=10, what="nginx")
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)


def _start(folder: Path) -> subprocess.Popen[bytes]:
    """Start nginx, if it finds nothing to complain about in its configuration."""
    command = [str(_PROGRAM), "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr, tested.stderr
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)


def _write_configuration(
    folder: Path, *, https: int, ports: Sequence[int], certificate: Path, log: Path
) -> None:
    """Write the shipped file with this machine's ports and paths, and the frame around it."""
    changes = {
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{https} ssl http2;",
        "server_name tasks.example.org;": "server_name 127.0.0.1;",
        "server 127.0.0.1:8001 ": f"server 127.0.0.1:{ports[0]} ",
        "server 127.0.0.1:8002 ": f"server 127.0.0.1:{ports[1]} ",
        "/etc/ssl/tasks.example.org.pem": str(certificate),
        "/etc/ssl/private/tasks.example.org.key": str(certificate.with_suffix(".key")),
        "/var/log/nginx/tasuki.log": str(log),
    }
    text = SHIPPED.read_text()
    for old, new in changes.items():
        assert old in text, f"{SHIPPED} no longer has {old!r}"
        text = text.replace(old, new)
    (folder / "tasuki.conf").write_text(text)
    _write_frame(folder, "access_log off; include tasuki.conf;")


def _write_frame(folder: Path, inside: str) -> None:
    scratch = "".join(
        f"    {name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "scgi", "uwsgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid nginx.pid;\nworker_processes 1;\n"
        "events { worker_connections 256; }\n"
        f"http {{\n{scratch}{inside}\n}}\n"
    )


def _make_certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 that signs itself."""
    path = folder / "test.pem"
    words = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    files = ["-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run(["openssl", *words.split(), *files], capture_output=True, check=True)
    return path
