"""Draws the bars of a report as SVG by hand: one stack a day, one colour a kind.

Plain SVG needs no library, is the same picture in a PDF and on a page, and stays text
that can be selected. One user unit is one point (1/72 inch). Kinds are text of a user;
they are escaped here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count, pairwise
from xml.sax.saxutils import escape

from tasuki.reports.numbers import STANDARD_KINDS, ActivityReport, Series
from tasuki.reports.words import Words, cells, shortened

__all__ = ["HEIGHT", "OTHER_COLOUR", "PALETTE", "WIDTH", "activity_chart", "round_ticks"]

WIDTH = 482.0  # A4 less 20 mm at either side
HEIGHT = 180.0

PALETTE = ("#1f4e79", "#e8a33d", "#2f8f83", "#7a3b69", "#8fc1e3", "#c4573a")
"""Dark and light in turn: told apart with every colour blindness, and in grey.

The first three belong to the standard kinds, so two reports never swap them.
"""
OTHER_COLOUR = "#b9bfc7"
INK, QUIET, RULE, BAND = "#1c2430", "#6b7480", "#e3e6ea", "#f3f4f6"

LEGEND_LINE = 12.0
BELOW = 18.0  # under the bars: the labels of the days
EMPTY_HEIGHT = 84.0
MOST_LABELS = 14
FONT = "Inter, 'BIZ UDPGothic', sans-serif"
SIZE = 7.5
LEGEND_CELLS = 20  # a longer kind is shortened; the table has it in full
LIGHTER = 'fill-opacity=".35" stroke-width=".5"'  # how the running day is drawn


def activity_chart(report: ActivityReport, words: Words) -> str:
    """Return the activity by day as one SVG document.

    The running day stands on a grey band and is drawn lighter, with an outline. Where
    nothing is recorded, a sentence takes the place of the bars.
    """
    height = EMPTY_HEIGHT if report.is_empty else HEIGHT
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" '
        f'width="{WIDTH:g}" height="{height:g}" font-family="{FONT}" font-size="{SIZE}">'
    )
    body = _empty(report, words) if report.is_empty else _drawing(report, words)
    return head + "".join(body) + "</svg>"


def round_ticks(largest: int) -> tuple[int, ...]:
    """Return the ticks of an axis from 0 up to at least `largest`: 1, 2 or 5 times 10ⁿ apart.

    Counts are whole, so steps are; there are two to six ticks.
    """
    steps = (digit * 10**power for power in count() for digit in (1, 2, 5))
    step = next(step for step in steps if step * 5 >= largest)
    upper = max(1, -(-largest // step))  # rounded up
    return tuple(step * tick for tick in range(upper + 1))


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where a day and a count stand on paper."""

    days: int
    largest: int  # the uppermost tick
    left: float
    top: float
    ground: float = HEIGHT - BELOW

    @property
    def slot(self) -> float:
        return (WIDTH - self.left) / self.days

    @property
    def bar(self) -> float:
        """Width of a bar: air between few days, none where a day is under 2 points."""
        return min(self.slot * (0.72 if self.slot > 4 else 0.86 if self.slot > 2 else 1.0), 34.0)

    def x(self, place: int) -> float:
        return self.middle(place) - self.bar / 2

    def middle(self, place: int) -> float:
        return self.left + (place + 0.5) * self.slot

    def y(self, counted: int) -> float:
        return self.ground - counted / self.largest * (self.ground - self.top)


def _drawing(report: ActivityReport, words: Words) -> Iterator[str]:
    colours = _colours(report.series)
    legend, legend_height = _legend(report, words, colours)
    ticks = round_ticks(report.busiest[1] if report.busiest else 0)
    plot = _Plot(
        days=len(report.days),
        largest=ticks[-1],
        left=max(24.0, _advance(words.number(ticks[-1])) + 8),
        top=legend_height + 14,
    )
    last = plot.days - 1
    yield from legend
    yield _rect(plot.left + last * plot.slot, plot.top, plot.slot, plot.ground - plot.top, BAND)
    yield from _axis(plot, ticks, words)
    yield from _bars(report.series, plot, colours)
    yield from _day_labels(report.days, plot, words)


def _colours(series: Sequence[Series]) -> tuple[str, ...]:
    """Give each kind its colour; own kinds also take those of standard kinds not shown."""
    fixed = dict(zip(STANDARD_KINDS, PALETTE, strict=False))
    own = PALETTE[len(STANDARD_KINDS) :]
    unused = tuple(fixed[kind] for kind in fixed if all(one.kind != kind for one in series))
    free = iter(own + unused)
    return tuple(
        OTHER_COLOUR if one.kind is None else fixed.get(one.kind) or next(free) for one in series
    )


def _bars(series: Sequence[Series], plot: _Plot, colours: Sequence[str]) -> Iterator[str]:
    """One path a kind: 366 days are six elements, not two thousand."""
    heights = [0] * plot.days
    last = plot.days - 1
    gap = 0.6 if plot.bar > 3 else 0.0  # a hair of white between the kinds of a stack
    for one, colour in zip(series, colours, strict=True):
        boxes = []
        for place, counted in enumerate(one.counts):
            if counted:
                low, high = plot.y(heights[place]), plot.y(heights[place] + counted)
                air = gap if heights[place] and low - high > 2 * gap else 0.0
                boxes.append((place, _box(plot.x(place), high, plot.bar, low - high - air)))
                heights[place] += counted
        over = "".join(box for place, box in boxes if place != last)
        running = "".join(box for place, box in boxes if place == last)
        if over:
            yield f'<path fill="{colour}" d="{over}"/>'
        if running:
            yield f'<path fill="{colour}" stroke="{colour}" {LIGHTER} d="{running}"/>'


def _axis(plot: _Plot, ticks: Sequence[int], words: Words) -> Iterator[str]:
    for tick in ticks:
        y = plot.y(tick)
        colour = RULE if tick else QUIET
        yield f'<path d="M{plot.left:.2f} {y:.2f}H{WIDTH:g}" stroke="{colour}" stroke-width=".5"/>'
        yield _text(plot.left - 5, y + 2.6, words.number(tick), anchor="end")


def _day_labels(days: Sequence[date], plot: _Plot, words: Words) -> Iterator[str]:
    """Write the chosen labels; one too close to that of the running day gives way."""
    last = len(days) - 1
    wanted = _labelled(days, plot, words)
    half = _advance(wanted[last]) / 2
    last_middle = min(plot.middle(last), WIDTH - half)  # held inside the picture
    for place, text in wanted.items():
        x = plot.middle(place)
        if place != last and x + _advance(text) / 2 + 6 > last_middle - half:
            continue
        yield f'<path d="M{x:.2f} {plot.ground:g}v3" stroke="{QUIET}" stroke-width=".5"/>'
        where, colour = (last_middle, INK) if place == last else (x, QUIET)
        yield _text(where, plot.ground + 12, text, anchor="middle", colour=colour)


def _labelled(days: Sequence[date], plot: _Plot, words: Words) -> dict[int, str]:
    """Choose the days that carry a label: the densest regular choice that has room.

    Every day, every other day, Mondays, every other Monday, first days of months. The
    running day always has one.
    """
    last = len(days) - 1
    mondays = [place for place, day in enumerate(days) if day.weekday() == 0]
    need = max(_advance(words.short_day(day)) for day in days) + 6
    choices = (
        list(range(len(days))),
        list(range(last % 2, len(days), 2)),
        mondays,
        mondays[::2],
    )
    for places in choices:
        room = all((b - a) * plot.slot >= need for a, b in pairwise(places))
        if room and len(places) <= MOST_LABELS:
            chosen = {place: words.short_day(days[place]) for place in places}
            break
    else:
        chosen = {place: words.month(day) for place, day in enumerate(days) if day.day == 1}
    return chosen | {last: words.short_day(days[last])}


def _legend(
    report: ActivityReport, words: Words, colours: Sequence[str]
) -> tuple[list[str], float]:
    """Return the drawing and its height: as many lines as the names need."""
    end = report.period.local_end
    running = words.running.format(day=words.short_day(report.running_day), time=f"{end:%H:%M}")
    entries = [
        (shortened(words.kind_name(one.kind), limit=LEGEND_CELLS), f'fill="{colour}"')
        for one, colour in zip(report.series, colours, strict=True)
    ]
    entries.append((running, f'fill="{QUIET}" stroke="{QUIET}" {LIGHTER}'))
    drawn = []
    x, y = 0.0, 8.0
    for text, paint in entries:
        wide = 11 + _advance(text)
        if x and x + wide > WIDTH:
            x, y = 0.0, y + LEGEND_LINE
        drawn.append(f'<path d="{_box(x + 0.25, y - 6, 6.5, 6.5)}" {paint}/>')
        drawn.append(_text(x + 11, y, text, colour=INK))
        x += wide + 14
    return drawn, y


def _advance(text: str) -> float:
    """Estimate how far a text runs; only spaces what stands beside it."""
    return SIZE * sum(_letter(char) for char in text)


def _letter(char: str) -> float:
    if cells(char) > 1:
        return 1.0
    if char in " .,:;|!'`()[]{}ijlftrI/-":
        return 0.34
    return 0.84 if char in "mwMW@%…" else 0.66 if char.isupper() else 0.59


def _empty(report: ActivityReport, words: Words) -> Iterator[str]:
    sentence = words.nothing if report.total.before else words.nothing_at_all
    yield _rect(0, 0, WIDTH, EMPTY_HEIGHT, BAND)
    yield _text(WIDTH / 2, EMPTY_HEIGHT / 2 + 3, sentence, anchor="middle", size=9)


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    colour: str = QUIET,
    size: float = SIZE,
) -> str:
    where = f'x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}" fill="{colour}" font-size="{size:g}"'
    return f"<text {where}>{escape(text)}</text>"


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    where = f'x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"'
    return f'<rect {where} fill="{fill}"/>'


def _box(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:.2f} {y:.2f}h{width:.2f}v{height:.2f}h{-width:.2f}z"
