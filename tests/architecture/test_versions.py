"""Nothing older is installed, locked or allowed than what is known to be safe."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = [
    (words[0], words[1])
    for line in (Path(__file__).parent / "floors.txt").read_text().splitlines()
    if (words := line.split()) and not line.startswith("#")
]


def number(text: str) -> tuple[int, ...]:
    """Return a release as it is ordered; what follows the numbers does not matter here."""
    found = re.match(r"[\d.]+", text)
    return tuple(int(part) for part in found.group().strip(".").split(".")) if found else ()


@pytest.mark.parametrize(("package", "floor"), FLOORS)
def test_no_release_is_older_than_its_floor(package: str, floor: str) -> None:
    """A lock that was resolved backwards brings old holes in silence."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    allowed = [
        word.partition(">=")[2].partition(",")[0]
        for word in project["dependencies"]
        if re.match(rf"{package}(\[\w+\])?>=", word)
    ]
    locked = re.findall(
        rf"^{package}==([\w.]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )

    assert len(allowed) == len(locked) == 1
    for found in (version(package), allowed[0], locked[0]):
        assert number(found) >= number(floor), f"{package} {found} is older than {floor}"


@pytest.mark.parametrize("package", ["flower", "passlib", "python-jose"])
def test_what_is_not_shipped_is_not_locked(package: str) -> None:
    """Flower answers metrics to anybody; the others are no longer kept."""
    assert f"\n{package}==" not in (ROOT / "requirements.lock").read_text()
