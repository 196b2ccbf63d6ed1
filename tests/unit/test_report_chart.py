"""What the bars of a report look like, read back from the SVG."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasuki.reports.chart import OTHER_COLOUR, PALETTE, activity_chart, round_ticks
from tasuki.reports.numbers import ActivityReport, CountedRow, Period
from tasuki.reports.words import WORDS, cells, plain, shortened

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"
SHAPES = ("svg", "text", "rect", "path")


def period(days: int) -> Period:
    return Period.last(days, now=NOON, timezone=ZoneInfo("UTC"))


def chart(rows: list[CountedRow], *, days: int = 7) -> ET.Element:
    report = ActivityReport.of(rows, [], period=period(days), username="taro")
    return ET.fromstring(activity_chart(report, WORDS["en"]))  # noqa: S314  our own SVG


def every_day(days: int, kind: str = "login") -> list[CountedRow]:
    return [(day, kind, 1 + day.day) for day in period(days).calendar()]


def texts(svg: ET.Element) -> list[str]:
    return [element.text or "" for element in svg.iter(f"{SVG}text")]


@settings(deadline=None)
@given(st.text(st.characters(), max_size=64))
def test_any_kind_gives_a_well_formed_picture(kind: str) -> None:
    """A kind is text of a user: quotes, tags, control characters, anything."""
    svg = chart([(period(7).last_day, kind, 3)])

    assert {element.tag for element in svg.iter()} <= {f"{SVG}{tag}" for tag in SHAPES}


def test_markup_in_a_kind_is_shown_as_it_was_written() -> None:
    """Escaped once: neither an element nor a row of entities."""
    svg = chart([(period(7).last_day, "<b>&amp;</b>", 3)])

    assert "<b>&amp;</b>" in texts(svg)


def test_the_running_day_is_lighter_and_named_in_the_legend() -> None:
    """Half a day must not look like a quiet day."""
    svg = chart(every_day(7))

    lighter = [path for path in svg.iter(f"{SVG}path") if path.get("fill-opacity")]
    assert len(lighter) == 2  # its bar, and the mark in the legend
    assert "24 Nov is still running: counted until 12:00" in texts(svg)


def test_an_empty_period_says_so_instead_of_drawing_an_empty_frame() -> None:
    """A blank chart looks like a fault."""
    assert texts(chart([])) == ["Nothing was recorded in this period, nor in the period before."]


@pytest.mark.parametrize("days", [1, 2, 7, 14, 30, 90, 180, 366])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_day_labels_never_overlap(days: int, language: str) -> None:
    """From one day to a year the axis stays readable, and names the running day."""
    report = ActivityReport.of(every_day(days), [], period=period(days), username="taro")
    words = WORDS["ja" if language == "ja" else "en"]
    svg = ET.fromstring(activity_chart(report, words))  # noqa: S314  our own SVG

    labels = [
        (float(text.get("x", "")), text.text or "")
        for text in svg.iter(f"{SVG}text")
        if text.get("text-anchor") == "middle"
    ]
    assert words.short_day(NOON.date()) in [text for _, text in labels]
    assert len(labels) <= 15
    for (left, one), (right, other) in pairwise(sorted(labels)):
        assert right - left > (cells(one) + cells(other)) / 2 * 4.0


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        (0, (0, 1)),
        (1, (0, 1)),
        (5, (0, 1, 2, 3, 4, 5)),
        (7, (0, 2, 4, 6, 8)),
        (23, (0, 5, 10, 15, 20, 25)),
        (100, (0, 20, 40, 60, 80, 100)),
    ],
)
def test_an_axis_has_round_ticks(largest: int, ticks: tuple[int, ...]) -> None:
    """People read 0, 20, 40; nobody reads 0, 17, 34."""
    assert round_ticks(largest) == ticks


@given(st.integers(0, 10**15))
def test_an_axis_always_reaches_over_the_largest_bar(largest: int) -> None:
    """No bar leaves the picture, and the picture is never mostly air."""
    ticks = round_ticks(largest)

    assert 2 <= len(ticks) <= 6
    assert ticks[-2] < max(largest, 1) <= ticks[-1]


def test_a_year_of_bars_stays_a_small_picture() -> None:
    """One path a kind: the PDF must not grow with every bar."""
    rows = [row for n in range(6) for row in every_day(366, f"kind.{n}")]
    svg = chart(rows, days=366)

    assert sum(1 for _ in svg.iter()) < 100


def test_neighbours_of_a_stack_differ_in_grey() -> None:
    """Printed without colour, and for colour-blind readers, the kinds stay apart."""
    grey = [luminance(colour) for colour in (*PALETTE, OTHER_COLOUR)]

    assert all(abs(one - other) > 0.1 for one, other in pairwise(grey))


def luminance(colour: str) -> float:
    """Return how bright a colour is in grey, 0 to 1 (ITU-R BT.601, gamma kept)."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_standard_kinds_keep_their_colours() -> None:
    """Two reports side by side must not swap the meaning of blue."""
    alone = chart(every_day(7, "comment"))
    mixed = chart([*every_day(7, "comment"), *every_day(7, "login"), *every_day(7, "own")])

    for svg in (alone, mixed):
        assert PALETTE[2] in {path.get("fill") for path in svg.iter(f"{SVG}path")}


@settings(deadline=None)
@given(st.text(st.characters(), max_size=300))
def test_plain_text_is_one_printable_line(text: str) -> None:
    """What reaches paper can be stored in XML and JSON and cannot turn its surroundings."""
    made = plain(text)

    assert len(made) <= 200
    assert made.encode().decode() == made  # no half of a surrogate pair
    ET.fromstring(f"<t>{made.translate({60: None, 38: None})}</t>")  # noqa: S314  our own XML
    assert not set("\n\r\t\x00\u202e\u2066") & set(made)


def test_a_long_name_is_shortened_by_its_width() -> None:
    """An ideograph takes the room of two letters."""
    assert shortened("日本語の長い名前", limit=7) == "日本語…"
    assert shortened("short", limit=7) == "short"
