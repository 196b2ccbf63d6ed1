"""Says a report in English or Japanese: phrases, dates, figures.

The renderer and the chart hold no sentence of their own. A kind and a name are text of
a user: they pass through `plain` on their way to paper and are never looked up, except
for the three standard kinds.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from tasuki.reports.numbers import Comparison

__all__ = ["WORDS", "Language", "Words", "cells", "plain", "shortened"]

Language = Literal["en", "ja"]

MINUS = "−"  # U+2212 has the width of a figure, a hyphen does not

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Words:
    """The phrases of one language.

    A phrase with `{…}` is filled with `str.format`; the values are data and are not
    looked at for braces themselves.
    """

    language: Language
    title: str
    period: str
    generated: str
    time_zone: str
    all_kinds: str
    kind: str
    this_period: str
    period_before: str
    difference: str
    change: str
    versus_before: str
    totals: str
    total: str
    by_day: str
    by_weekday: str
    weekday: str
    days: str
    per_day: str
    other: str
    new: str
    nothing: str
    nothing_at_all: str
    running: str
    busiest: str
    more_kinds: str
    compared: str
    averaged: str
    chart: str
    page: str
    kinds: Mapping[str, str]
    weekdays: tuple[str, ...]
    _long: Callable[[date], str]
    _short: Callable[[date], str]
    _month: Callable[[date], str]

    def kind_name(self, kind: str | None) -> str:
        """Return what a kind is called here; None is the rest, a dash one without a name."""
        return self.other if kind is None else self.kinds.get(kind) or plain(kind) or "–"

    def long_day(self, day: date) -> str:
        """Return a day with its year: "3 Nov 2026"."""
        return self._long(day)

    def short_day(self, day: date) -> str:
        """Return a day without its year: "3 Nov"."""
        return self._short(day)

    def month(self, day: date) -> str:
        """Return a month; January carries the year, so a chart over New Year is clear."""
        return self._month(day)

    def moment(self, moment: datetime) -> str:
        """Return a local date with hours and minutes."""
        return f"{self._long(moment.date())} {moment:%H:%M}"

    def span(self, first: date, end: datetime) -> str:
        """Return the days of a period with the time that cuts off the last."""
        return f"{self._long(first)} – {self.moment(end)}"

    def zone(self, moment: datetime) -> str:
        """Return the timezone of an aware moment with its offset then: "Asia/Tokyo, UTC+9"."""
        offset = moment.utcoffset()
        minutes = round(offset.total_seconds() / 60) if offset is not None else 0
        sign = "+" if minutes >= 0 else MINUS
        hours, rest = divmod(abs(minutes), 60)
        utc = "UTC" if minutes == 0 else f"UTC{sign}{hours}" + (f":{rest:02d}" if rest else "")
        name = str(moment.tzinfo)
        return name if name == utc else f"{name}, {utc}"

    def number(self, number: int) -> str:
        """Return a count with thousands set apart: "1,234"."""
        return f"{number:,}".replace("-", MINUS)

    def signed(self, number: int) -> str:
        """Return a difference; no difference has no sign."""
        return f"{number:+,}".replace("-", MINUS) if number else "0"

    def average(self, average: float) -> str:
        """Return a mean with one decimal: "1,234.5"."""
        return f"{average:,.1f}" if average else "0"

    def percent(self, comparison: Comparison) -> str:
        """Return the change: "+12%", "+1.5%" below ten, the word for new, or a dash."""
        percent = comparison.percent
        if percent is None:
            return self.new if comparison.is_new else "–"
        if percent == 0:
            return "0%"
        figure = f"{percent:+,.1f}" if abs(percent) < 10 else f"{percent:+,.0f}"
        return figure.replace("-", MINUS) + "%"


def plain(text: str, *, limit: int = 200) -> str:
    """Return a user's text as one line that can be printed and stored in XML and JSON.

    Line breaks and tabs become spaces. Other control characters, halves of surrogate
    pairs and the marks that turn the reading direction become U+FFFD: XML forbids some,
    and the last ones let a name rearrange the words around it.

    Args:
        text: Anything at all.
        limit: Longest result in characters; a longer text ends in an ellipsis.
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(" " if char.isspace() else _printable(char) for char in cut).strip()


def _printable(char: str) -> str:
    category = unicodedata.category(char)
    turns = "\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069"
    noncharacter = ord(char) & 0xFFFE == 0xFFFE or "\ufdd0" <= char <= "\ufdef"
    return "\ufffd" if category in {"Cc", "Cs", "Co"} or turns or noncharacter else char


def cells(text: str) -> int:
    """Return how wide a text is, in half-width cells: an ideograph takes two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def shortened(text: str, *, limit: int) -> str:
    """Return a text of at most so many cells; a longer one ends in an ellipsis."""
    if cells(text) <= limit:
        return text
    kept = ""
    for char in text:
        if cells(kept + char) > limit - 1:
            break
        kept += char
    return kept.rstrip() + "…"


_ENGLISH = Words(
    language="en",
    title="Activity report",
    period="Period",
    generated="Generated",
    time_zone="Time zone",
    all_kinds="All activity",
    kind="Activity",
    this_period="This period",
    period_before="Period before",
    difference="Difference",
    change="Change",
    versus_before="Against the period before",
    totals="Totals",
    total="Total",
    by_day="By day",
    by_weekday="By weekday",
    weekday="Weekday",
    days="Days",
    per_day="Per day",
    other="Other kinds",
    new="new",
    nothing="Nothing was recorded in this period.",
    nothing_at_all="Nothing was recorded in this period, nor in the period before.",
    running="{day} is still running: counted until {time}",
    busiest="Busiest day",
    more_kinds="Not listed: {count} smaller kinds. They are part of all activity.",
    compared=(
        "Compared with {span}: as many days right before, the last one cut off at the same "
        "time of day as this report, so that both end with an equal part of a day."
    ),
    averaged="Per day: divided by all days, the running one included.",
    chart="Bar chart of the activity by day: {total} in all, at most {top} on one day.",
    page="Page {page} of {pages}",
    kinds={"login": "Logins", "post": "Posts", "comment": "Comments"},
    weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    _long=lambda day: f"{day.day} {_MONTHS[day.month - 1]} {day.year}",
    _short=lambda day: f"{day.day} {_MONTHS[day.month - 1]}",
    _month=lambda day: _MONTHS[day.month - 1] + (f" {day.year}" if day.month == 1 else ""),
)

_JAPANESE = Words(
    language="ja",
    title="活動レポート",
    period="期間",
    generated="作成日時",
    time_zone="タイムゾーン",
    all_kinds="すべての活動",
    kind="活動",
    this_period="今期間",
    period_before="前期間",
    difference="増減",
    change="増減率",
    versus_before="前期間比",
    totals="合計",
    total="合計",
    by_day="日別",
    by_weekday="曜日別",
    weekday="曜日",
    days="日数",
    per_day="1日あたり",
    other="その他の種類",
    new="新規",
    nothing="この期間の記録はありません。",
    nothing_at_all="この期間にも前期間にも記録はありません。",
    running="{day}は途中経過（{time}まで集計）",
    busiest="最も活動の多い日",
    more_kinds="ほかに件数の少ない {count} 種類があります（「すべての活動」には含まれます）。",
    compared=(
        "比較対象：{span}。直前の同じ日数で、最終日は本レポートと同じ時刻で区切っています"
        "（どちらの期間も最終日は途中までの集計です）。"
    ),
    averaged="1日あたり：途中経過の日を含む全日数で割った値です。",
    chart="日別の活動の棒グラフ。合計 {total} 件、1日の最大 {top} 件。",
    page="{page} / {pages} ページ",
    kinds={"login": "ログイン", "post": "投稿", "comment": "コメント"},
    weekdays=("月曜日", "火曜日", "水曜日", "木曜日", "金曜日", "土曜日", "日曜日"),
    _long=lambda day: f"{day.year}年{day.month}月{day.day}日",
    _short=lambda day: f"{day.month}/{day.day}",
    _month=lambda day: (f"{day.year}年" if day.month == 1 else "") + f"{day.month}月",
)

WORDS: Mapping[Language, Words] = {"en": _ENGLISH, "ja": _JAPANESE}
"""The phrases by language."""
