"""Programs of npm that read what we write."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest


def missing(reason: str) -> None:
    """Skip the test, or fail where everything must be there."""
    if os.environ.get("TASUKI_TEST_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def install_packages(folder: Path, packages: Iterable[str]) -> None:
    """Install the packages of npm that the scripts of `run_node` use."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return
    words = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", *packages]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def run_node(script: str, file: Path, *, folder: Path) -> str:
    """Run a script in Node, which finds the packages of a folder, and return what it printed."""
    node = shutil.which("node")
    if node is None:
        missing("there is no node on this machine")
    words = [str(node), "-e", script, str(file)]
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
