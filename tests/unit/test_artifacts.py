"""Files of tasks: whole or not at all."""

import os
from pathlib import Path

import pytest

from tasuki.core.errors import ValidationFailed
from tasuki.tasks.artifacts import ArtifactStore


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """A store with a small limit."""
    return ArtifactStore(tmp_path / "files", limit_bytes=10)


def left_in(tmp_path: Path) -> list[Path]:
    """Return all files of the store."""
    return [path for path in (tmp_path / "files").rglob("*") if path.is_file()]


async def test_a_file_appears_when_it_is_whole(store: ArtifactStore, tmp_path: Path) -> None:
    """Under its name there is never half of it, and nobody else can read it."""
    async with store.create("a.txt", "text/plain") as writer:
        await writer.write(b"12345")
        with pytest.raises(RuntimeError, match="still being written"):
            _ = writer.artifact
        assert [path.suffix for path in left_in(tmp_path)] == [".part"]

    (path,) = left_in(tmp_path)
    assert path == store.path(writer.artifact.id)
    assert path.read_bytes() == b"12345"
    assert path.stat().st_mode & 0o077 == 0


async def test_a_file_over_the_limit_leaves_nothing(store: ArtifactStore, tmp_path: Path) -> None:
    """The limit is kept while it is written, not found out afterwards."""
    with pytest.raises(ValidationFailed, match="10 bytes"):
        async with store.create("a.txt", "text/plain") as writer:
            await writer.write(b"x" * 11)

    assert left_in(tmp_path) == []


async def test_a_block_that_raises_leaves_nothing(store: ArtifactStore, tmp_path: Path) -> None:
    """A task that fails half-way has no file."""

    async def write_and_fail() -> None:
        async with store.create("a.txt", "text/plain") as writer:
            await writer.write(b"x")
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        await write_and_fail()

    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [("../../etc/passwd", "passwd"), ("a\r\nb.txt", "ab.txt"), ("", "file"), ("\0", "file")],
)
async def test_names_are_only_names(store: ArtifactStore, given: str, kept: str) -> None:
    """No folders, no control characters, never nothing."""
    async with store.create(given, "text/plain") as writer:
        await writer.write(b"x")

    assert writer.artifact.name == kept


async def test_old_leftovers_are_found(store: ArtifactStore, tmp_path: Path) -> None:
    """Half files of dead processes are deleted, whole ones are told of; a missing one is fine."""
    async with store.create("a.txt", "text/plain") as writer:
        await writer.write(b"x")
    path = store.path(writer.artifact.id)
    part = path.with_suffix(".part")
    part.write_bytes(b"half")
    os.utime(part, (0, 0))
    os.utime(path, (0, 0))

    assert await store.older_than(60) == [writer.artifact.id]
    assert not part.exists()

    await store.delete([writer.artifact.id, writer.artifact.id])
    assert left_in(tmp_path) == []
