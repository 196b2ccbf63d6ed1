"""The embedded PostgreSQL and Valkey as real processes: data, permissions, refusals."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from redis import Redis

from tasuki.embedded import EmbeddedError, PostgresServer, ValkeyServer, locked, run_server
from tasuki.embedded import binaries as binaries_module
from tasuki.embedded import privileges as privileges_module
from tasuki.embedded.errors import (
    BinaryNotFound,
    FolderRefused,
    ForeignDatabase,
    RootRefused,
    StartFailed,
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that even `nobody` could reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o711)
        yield Path(place) / "data"


async def _ask_postgres(server: PostgresServer, sql: str) -> object:
    connection = await asyncpg.connect(server.dsn, timeout=10)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_a_database_keeps_its_rows_and_its_address_over_a_restart(folder: Path) -> None:
    """What somebody stored yesterday is there today, under the URL of yesterday."""
    first = PostgresServer.prepare(folder)
    with run_server(first):
        await _ask_postgres(first, "CREATE TABLE kept AS SELECT 襷 FROM (VALUES ('襷')) v (襷)")

    second = PostgresServer.prepare(folder)
    with run_server(second):
        assert await _ask_postgres(second, "SELECT 襷 FROM kept") == "襷"
    assert second.url == first.url
    assert first.url.startswith("postgresql+asyncpg://tasuki:")


async def test_a_killed_database_starts_again_with_its_commits(folder: Path) -> None:
    """Kill -9 costs nothing that was committed, and leaves nothing that blocks the start."""
    server = PostgresServer.prepare(folder)
    with run_server(server) as process:
        await _ask_postgres(server, "CREATE TABLE kept AS SELECT 7 AS number")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    again = PostgresServer.prepare(folder)
    with run_server(again):
        assert await _ask_postgres(again, "SELECT number FROM kept") == 7


async def test_the_database_speaks_utc_and_utf8_to_a_role_without_power(folder: Path) -> None:
    """A hole in our SQL must not become a way to run programs on the machine."""
    server = PostgresServer.prepare(folder, durable=False)
    with run_server(server):
        settings = await _ask_postgres(
            server,
            "SELECT concat_ws(' ', current_setting('TimeZone'), current_setting("
            "'server_encoding'), current_setting('fsync'), current_setting('listen_addresses'),"
            " rolsuper, rolcreatedb) FROM pg_roles WHERE rolname = current_user",
        )
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _ask_postgres(server, "COPY (SELECT 1) TO PROGRAM 'true'")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.dsn.replace(server.password, "wrong"), timeout=10)

    assert settings == "UTC UTF8 off 127.0.0.1 f t"


def test_messages_survive_a_killed_valkey(folder: Path) -> None:
    """The broker's queue is in the append-only file, so a crash loses no task message."""
    server = ValkeyServer.prepare(folder)
    with run_server(server) as process, Redis.from_url(server.url) as client:
        client.rpush("queue", *range(3000))
        # Written to the file before the answer; only its way to the disk may take a second.
        process.kill()
        process.wait(10)

    again = ValkeyServer.prepare(folder)
    with run_server(again), Redis.from_url(again.url) as client:
        assert client.llen("queue") == 3000
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_a_throwaway_valkey_writes_no_data(folder: Path) -> None:
    """Tests flush it all the time; a file that grows with them helps nobody."""
    server = ValkeyServer.prepare(folder, persistent=False)
    with run_server(server), Redis.from_url(server.url) as client:
        client.set("key", "value")

    assert list(server.folder.iterdir()) == []


def test_only_the_owner_can_read_what_lies_in_the_folder(folder: Path) -> None:
    """Passwords and data are nobody else's, whatever the umask says."""
    old = os.umask(0)
    try:
        with locked(folder):
            PostgresServer.prepare(folder, durable=False)
            ValkeyServer.prepare(folder)
    finally:
        os.umask(old)

    open_to_others = [path for path in (folder, *folder.iterdir()) if path.stat().st_mode & 0o077]
    assert open_to_others == []


def test_a_readable_folder_with_contents_is_refused_not_closed(tmp_path: Path) -> None:
    """Somebody may have named their home folder; its mode is not ours to change."""
    tmp_path.chmod(0o755)
    (tmp_path / "letter").write_text("mine")

    with pytest.raises(FolderRefused, match="chmod 700"):
        ValkeyServer.prepare(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("place", ["pg18", "pg17"])
def test_the_data_of_another_postgresql_is_refused(folder: Path, place: str) -> None:
    """Starting empty beside the old data, or on top of it, would look like data loss."""
    if binaries_module.find_postgres().major != 18:
        pytest.skip("needs PostgreSQL 18 from the wheel")
    (folder / place).mkdir(parents=True)
    folder.chmod(0o700)
    (folder / place / "PG_VERSION").write_text("17\n")

    with pytest.raises(ForeignDatabase, match="17"):
        PostgresServer.prepare(folder)


def test_an_interrupted_first_start_is_made_good_by_the_next(folder: Path) -> None:
    """A half-made database is thrown away, never used."""
    (folder / "new-database").mkdir(parents=True)
    folder.chmod(0o700)
    (folder / "new-database" / "PG_VERSION").write_text("18\n")

    with run_server(PostgresServer.prepare(folder, durable=False)) as process:
        assert process.poll() is None


def test_a_server_that_lost_supervisor_and_guard_is_ended_by_the_next_start(folder: Path) -> None:
    """Two Valkeys on one append-only file would ruin it."""
    for prepare in (ValkeyServer.prepare, PostgresServer.prepare):
        server = prepare(folder)
        stray = subprocess.Popen(
            server.argv, env=server.env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        while not server.ready():
            assert stray.poll() is None

        with run_server(prepare(folder)):
            assert stray.wait(10) is not None


def test_a_port_that_somebody_took_is_replaced(folder: Path) -> None:
    """Another program on yesterday's port is no reason not to start."""
    first = ValkeyServer.prepare(folder / "one", persistent=False)
    with run_server(first):
        (folder / "two").mkdir(mode=0o700)
        (folder / "two" / "valkey.port").write_text(f"{first.port}\n")

        assert ValkeyServer.prepare(folder / "two").port != first.port


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    """The reason is in the server's own words, not in a log file to search for."""
    server = ValkeyServer.prepare(folder)
    (folder / "valkey.conf").write_text("no-such-setting 1\n")

    with pytest.raises(StartFailed, match="no-such-setting"), run_server(server):
        pass


def test_a_machine_without_servers_gets_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both messages name the extra, the system's package and the setting."""
    monkeypatch.setattr(binaries_module, "find_spec", lambda _name: None)
    monkeypatch.setattr(binaries_module, "_POSTGRES_SYSTEM", Path("/nowhere"))
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(BinaryNotFound, match="TASUKI_DATABASE_URL"):
        binaries_module.find_postgres()
    with pytest.raises(BinaryNotFound, match="TASUKI_REDIS_URL"):
        binaries_module.find_valkey()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")
async def test_without_user_namespaces_root_becomes_nobody(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers often forbid namespaces; the data is then `nobody`'s and still closed."""
    monkeypatch.setattr(privileges_module, "_NAMESPACE", ("false",))
    try:
        server = PostgresServer.prepare(folder, durable=False)
    except RootRefused:
        pytest.skip("nobody cannot reach the programs of this environment")
    with run_server(server):
        assert await _ask_postgres(server, "SELECT 1") == 1

    assert server.argv[0] == "setpriv"
    assert [path.stat().st_mode & 0o777 for path in (server.folder, folder)] == [0o700, 0o710]
    assert PostgresServer.prepare(folder, durable=False).url == server.url


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")
def test_root_that_cannot_give_up_its_rights_is_told_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of PostgreSQL's own about root helps nobody in a container."""
    monkeypatch.setattr(privileges_module, "_NAMESPACE", ("false",))
    monkeypatch.setattr(privileges_module, "_SETPRIV", ("false",))

    with pytest.raises(EmbeddedError, match="ordinary user or set TASUKI_DATABASE_URL"):
        PostgresServer.prepare(folder)
