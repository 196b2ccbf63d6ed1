"""A RabbitMQ node of the tests' own: one folder, loopback only, no part of the machine's broker.

It runs as root and as an ordinary user. Everything an installed RabbitMQ would look for in
``/etc`` and ``/var`` is named in the environment instead.
"""

import itertools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from support.servers import free_port
from tasuki.embedded import run_server

# Not the one on PATH, which wants to be root and changes to a user of its own.
_PROGRAMS = Path("/usr/lib/rabbitmq/bin")
_USER = "tasuki"
_ALL_PLUGINS = "[rabbitmq_management]."
_ANSWER_WITHIN_S = 1.0
_COMMAND_WITHIN_S = 60
_HEADER = b"AMQP\x00\x00\x09\x01"
_numbers = itertools.count(1)


def missing_rabbitmq() -> str | None:
    """Return what keeps RabbitMQ from being started here, or None."""
    if not os.access(_PROGRAMS / "rabbitmq-server", os.X_OK):
        return "RabbitMQ is not installed; as root on Debian or Ubuntu: ./dev services"
    if shutil.which("epmd") is None:
        return "epmd, a part of Erlang, is not on PATH"
    return None


def need_rabbitmq() -> None:
    """Skip the test where there is no RabbitMQ, or fail where it must be there."""
    reason = missing_rabbitmq()
    if reason is None:
        return
    if os.environ.get("TASUKI_TEST_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True, kw_only=True)
class _Epmd:
    """Erlang's register of names, on a port of its own: RabbitMQ would leave one running."""

    folder: Path
    port: int
    name: str = "epmd"
    stop_signal: signal.Signals = signal.SIGKILL
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def argv(self) -> Sequence[str]:
        return ("epmd", "-port", str(self.port), "-address", "127.0.0.1")

    def ready(self) -> bool:
        return _answers(self.port, b"\x00\x01n") is not None


@dataclass(frozen=True, kw_only=True)
class _Node:
    """The RabbitMQ node itself, as `run_server` takes it."""

    folder: Path
    port: int
    management_port: int
    env: Mapping[str, str] = field(repr=False)
    password: str = field(repr=False)
    name: str = "rabbitmq"
    stop_signal: signal.Signals = signal.SIGKILL  # a clean stop costs six seconds

    @property
    def argv(self) -> Sequence[str]:
        return (str(_PROGRAMS / "rabbitmq-server"),)

    def ready(self) -> bool:
        if not (_answers(self.port, _HEADER) or b"").startswith(b"\x01"):
            return False
        try:
            call(self.management_port, self.password, "GET", "overview")
        except OSError:
            return False
        return True


class RabbitMq:
    """A node that can be killed and started again, with what it had written down.

    Args:
        folder: Where it keeps everything; nobody else's.
    """

    def __init__(self, folder: Path) -> None:
        self._node = _prepare(folder)
        self._stack = ExitStack()
        self._epmd = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        port = int(self._node.env["ERL_EPMD_PORT"])
        self._epmd.enter_context(run_server(_Epmd(folder=self._node.folder, port=port)))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it."""
        self._stack.close()
        self._epmd.close()

    def start(self) -> None:
        """Start it; it takes about four seconds."""
        self._process = self._stack.enter_context(run_server(self._node))

    def kill(self) -> None:
        """Kill it; what was confirmed is on disk.

        RabbitMQ 3.10 writes down the names of its quorum queues a moment after they were made.
        One that is younger when the node is killed has no leader ever after, and only deleting
        it helps. That is not what the tests are about, so the names are written first.
        """
        assert self._process is not None
        self.command("eval", "[dets:sync(Table) || Table <- dets:all()].")
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._stack.close()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    @contextmanager
    def vhost(self) -> Generator[str]:
        """Make a fresh virtual host, and return its URL."""
        name = f"test-{next(_numbers)}"
        if not self._is_running():
            self.start()  # a test killed it and came no further
        self.call("PUT", f"vhosts/{name}")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.call("PUT", f"permissions/{name}/{_USER}", everything)
        try:
            yield f"amqp://{_USER}:{self._node.password}@127.0.0.1:{self._node.port}/{name}"
        finally:
            if self._is_running():
                self.call("DELETE", f"vhosts/{name}")

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the management API."""
        return call(self._node.management_port, self._node.password, method, path, body)

    @contextmanager
    def memory_alarm(self) -> Generator[None]:
        """Let it believe that memory has run out: it stops reading from whoever publishes."""
        limit = str(self.command("eval", "vm_memory_monitor:get_vm_memory_high_watermark()."))
        self.command("set_vm_memory_high_watermark", "absolute", "1")
        try:
            yield
        finally:
            self.command("set_vm_memory_high_watermark", limit.strip())

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def command(self, *words: str) -> str:
        """Run ``rabbitmqctl``, and return what it says; takes a second."""
        done = subprocess.run(
            [_PROGRAMS / "rabbitmqctl", "--quiet", *words],
            env=dict(self._node.env),
            capture_output=True,
            text=True,
            timeout=_COMMAND_WITHIN_S,
            check=True,
        )
        return done.stdout


def call(port: int, password: str, method: str, path: str, body: object = None) -> Any:
    """Call the management API of a node.

    Raises:
        OSError: It does not answer, or refuses.
    """
    manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
    url = f"http://127.0.0.1:{port}/api/{path}"
    manager.add_password(None, url, _USER, password, is_authenticated=True)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
    request = urllib.request.Request(  # the address is ours
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with opener.open(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def _prepare(folder: Path) -> _Node:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ports = {name: free_port() for name in ("node", "dist", "management", "epmd")}
    password = secrets.token_hex(8)
    home = folder / "home"
    home.mkdir()
    (folder / "plugins").write_text(_ALL_PLUGINS)
    (folder / "rabbitmq.conf").write_text(_configuration(ports["management"], password))
    kept = {name: text for name, text in os.environ.items() if not name.startswith("RABBITMQ_")}
    loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
    env = {
        **kept,
        "HOME": str(home),  # Erlang's cookie lies there
        "ERL_EPMD_PORT": str(ports["epmd"]),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # It becomes Erlang itself instead of a shell that waits for it: one process to kill.
        "RUNNING_UNDER_SYSTEMD": "true",
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_NODENAME": f"tasuki-{ports['node']}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(ports["node"]),
        "RABBITMQ_DIST_PORT": str(ports["dist"]),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "config"),
        "RABBITMQ_SCHEMA_DIR": str(home / "schema"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback,
        "RABBITMQ_CTL_ERL_ARGS": loopback,
    }
    return _Node(
        folder=home,
        port=ports["node"],
        management_port=ports["management"],
        env=env,
        password=password,
    )


def _configuration(management_port: int, password: str) -> str:
    return f"""\
default_user = {_USER}
default_pass = {password}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management_port}
log.console.level = warning
"""


def _answers(port: int, question: bytes) -> bytes | None:
    try:
        with socket.create_connection(("127.0.0.1", port), _ANSWER_WITHIN_S) as connection:
            connection.settimeout(_ANSWER_WITHIN_S)
            connection.sendall(question)
            return connection.recv(16)
    except OSError:
        return None
