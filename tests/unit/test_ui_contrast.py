"""The console's colours can be read by everybody: WCAG 2.2, 1.4.3 and 1.4.11, computed."""

import re
from pathlib import Path

import pytest

import tasuki.ui

_TOKENS = (Path(tasuki.ui.__file__).parent / "static/css/tokens.css").read_text()
_COLOURS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", _TOKENS
    )
}
_GROUNDS = ("paper", "surface", "sunken")
TEXT = [
    *((ink, ground) for ink in ("ink", "ink-2", "accent") for ground in _GROUNDS),
    *((f"{tone}", f"{tone}-soft") for tone in ("ok", "warn", "bad", "wait", "accent")),
    *(("ink", f"{tone}-soft") for tone in ("ok", "warn", "bad", "wait", "accent")),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("paper", "bad"),
    ("bad", "surface"),
    ("warn", "sunken"),
    ("bad", "sunken"),
    ("ink", "line"),
]
"""Which colour stands on which, as text."""
SHAPES = [
    *(("line-strong", ground) for ground in ("paper", "surface")),
    *(("accent", ground) for ground in _GROUNDS),
]
"""Borders of fields, and the ring around what has the focus."""


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT)
def test_text_can_be_read(ink: str, ground: str, scheme: int) -> None:
    """Level AA asks for 4.5 : 1."""
    assert _contrast(_COLOURS[ink][scheme], _COLOURS[ground][scheme]) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("line", "ground"), SHAPES)
def test_edges_can_be_seen(line: str, ground: str, scheme: int) -> None:
    """Level AA asks for 3 : 1 where a line is all that shows a field, or the focus."""
    assert _contrast(_COLOURS[line][scheme], _COLOURS[ground][scheme]) >= 3


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
