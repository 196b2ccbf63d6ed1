"""Turns an activity report into a PDF: A4, with a chart, in English or Japanese.

Everything is put into words here; the Typst template only decides where it stands.
Text of users reaches the template as JSON, as a value of `sys.inputs`. Typst never reads
a value as markup, so a name or a kind cannot draw, read a file or stop a report.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typst

from tasuki.core.errors import TasukiError, Unavailable
from tasuki.reports.chart import activity_chart
from tasuki.reports.numbers import ActivityReport, Comparison
from tasuki.reports.words import WORDS, Language, Words, plain, shortened

__all__ = ["LONGEST_TABLE", "TURN_TIMEOUT_S", "RenderingFailed", "ReportRenderer"]

LONGEST_TABLE = 2_000
"""Most rows of a table; Typst takes 18 GB for 100,000."""

TURN_TIMEOUT_S = 60.0
"""Longest wait for the reports of other threads; one takes milliseconds."""

_FOLDER = Path(__file__).parent
_TEMPLATE = _FOLDER / "templates" / "user_activity.typ"
_FONTS = _FOLDER / "fonts"
_STANDARDS: tuple[typst.PDFStandard, ...] = ("ua-1", "a-2b")  # readable aloud, and in ten years
_HEADER_CELLS = 22  # two lines of a narrow column; the table of totals has the kind in full


class RenderingFailed(TasukiError):
    """The PDF could not be made; the detail says why. The same report fails again."""

    code = "rendering_failed"
    title = "The report could not be made"


class ReportRenderer:
    """Makes PDFs, one at a time, with one Typst compiler a process.

    The compiler is made by the first report, not by the constructor: Typst keeps threads,
    and threads do not survive a fork. A renderer may be built before the fork, but must
    render only after it; one that rendered before refuses, where Typst would hang for
    ever. Threads may share a renderer; they take turns.

    The same report in the same language gives the same bytes with the same version of
    Typst: fonts come from this package, times from the report, nothing from the machine.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._compiler: typst.Compiler | None = None
        self._process = 0  # the process whose threads the compiler has

    def render(self, report: ActivityReport, *, language: Language) -> bytes:
        """Return the report as a tagged PDF (PDF/UA-1 and PDF/A-2b).

        A character that no font of the package has is printed as an empty box. Both
        standards forbid that, so such a report is an ordinary PDF.

        Args:
            report: What to print. Tables end after `LONGEST_TABLE` rows and say so.
            language: Language of the phrases; names and kinds stay as they are.

        Raises:
            RenderingFailed: Typst refused the report, or the compiler belongs to the
                process before a fork.
            Unavailable: Other threads kept the compiler for longer than `TURN_TIMEOUT_S`.
        """
        payload = json.dumps(_page(report, WORDS[language]), ensure_ascii=False)
        made = int(report.generated_at.timestamp())
        if not self._turn.acquire(timeout=TURN_TIMEOUT_S):
            msg = f"other reports took longer than {TURN_TIMEOUT_S:g} s"
            raise Unavailable(msg)
        try:
            return self._to_standard_or_plain(payload, made)
        except typst.TypstError as exc:
            msg = f"Typst refused the report: {exc.message}"
            raise RenderingFailed(msg) from exc
        finally:
            self._turn.release()

    def _to_standard_or_plain(self, payload: str, made: int) -> bytes:
        try:
            return self._compile(payload, made, list(_STANDARDS))
        except typst.TypstError:
            return self._compile(payload, made, [])  # a true fault is raised again here

    def _compile(self, payload: str, made: int, standards: list[typst.PDFStandard]) -> bytes:
        if self._compiler is None:
            self._compiler, self._process = _new_compiler(), os.getpid()
        if self._process != os.getpid():
            msg = f"the compiler was made before a fork, by process {self._process}"
            raise RenderingFailed(msg)
        pdf = self._compiler.compile(
            format="pdf", sys_inputs={"data": payload}, timestamp=made, pdf_standards=standards
        )
        if not isinstance(pdf, bytes):
            msg = f"Typst answered with {type(pdf).__name__} where one PDF was asked for"
            raise RenderingFailed(msg)
        return pdf


def _new_compiler() -> typst.Compiler:
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=True, font_paths=[_FONTS]
    )
    return typst.Compiler(_TEMPLATE, root=_TEMPLATE.parent, font_paths=fonts)


def _page(report: ActivityReport, words: Words) -> Mapping[str, Any]:
    """Put the whole page into words; the template adds none."""
    person = _person(report)
    end = report.period.local_end
    span = words.span(report.period.first_day, end)
    return {
        "words": {
            "language": words.language,
            "title": words.title,
            "totals": words.totals,
            "by_day": words.by_day,
            "by_weekday": words.by_weekday,
            "page": words.page,
        },
        "document_title": f"{words.title} – {person[0]} – {span}",
        "footer": f"Tasuki · {words.title} · {shortened(person[0], limit=60)}",
        "person": person,
        "facts": [
            [words.period, span],
            [words.time_zone, words.zone(end)],
            [words.generated, words.moment(end)],
        ],
        "headline": _headline(report, words),
        "totals": _totals(report, words),
        "chart": _chart(report, words),
        "weekdays": None if report.is_empty else _weekdays(report, words),
        "small_print": _small_print(report, words),
    }


def _person(report: ActivityReport) -> list[str]:
    """Return the name to greet with, and the username unless it is that name."""
    username, name = plain(report.username), plain(report.display_name)
    return [name, f"@{username}"] if name and name != username else [username]


def _headline(report: ActivityReport, words: Words) -> list[list[str]]:
    """Return label, figure and, where there is one, a figure beside it."""
    busiest = ["–", ""]
    if report.busiest:
        day, count = report.busiest
        ends = (report.period.first_day, report.period.last_day)
        twins = len({f"{end:%m-%d}" for end in ends}) == 1  # a year and a day names a date twice
        name = words.long_day(day) if twins and day in ends else words.short_day(day)
        busiest = [name, words.number(count)]
    average = report.total.count / report.period.days
    return [
        [words.all_kinds, words.number(report.total.count), ""],
        [words.versus_before, words.percent(report.total), ""],
        [words.per_day, words.average(average), ""],
        [words.busiest, *busiest],
    ]


def _totals(report: ActivityReport, words: Words) -> Mapping[str, Any]:
    listed = report.kinds[: LONGEST_TABLE - 1]  # and the row of all kinds
    left_out = len(report.kinds) - len(listed)
    return {
        "header": [
            words.kind,
            words.this_period,
            words.period_before,
            words.difference,
            words.change,
        ],
        "rows": [
            _total_row(words.all_kinds, report.total, words),
            *(_total_row(words.kind_name(one.kind), one, words) for one in listed),
        ],
        "note": words.more_kinds.format(count=words.number(left_out)) if left_out else None,
    }


def _total_row(name: str, total: Comparison, words: Words) -> list[str]:
    return [
        name,
        words.number(total.count),
        words.number(total.before),
        words.signed(total.difference),
        words.percent(total),
    ]


def _chart(report: ActivityReport, words: Words) -> Mapping[str, str]:
    top = report.busiest[1] if report.busiest else 0
    described = words.chart.format(total=words.number(report.total.count), top=words.number(top))
    return {
        "svg": activity_chart(report, words),
        "alt": words.nothing if report.is_empty else described,
    }


def _weekdays(report: ActivityReport, words: Words) -> Mapping[str, Any]:
    longest = max(row.average for row in report.weekdays)
    names = [
        shortened(words.kind_name(series.kind), limit=_HEADER_CELLS) for series in report.series
    ]
    return {
        "kinds": len(names),
        "header": [words.weekday, words.days, *names, words.total, words.per_day],
        "rows": [
            {
                "cells": [
                    words.weekdays[row.weekday],
                    words.number(row.days),
                    *(words.number(count) for count in row.counts),
                    words.number(row.total),
                    words.average(row.average) if row.days else "–",
                ],
                "share": row.average / longest,
            }
            for row in report.weekdays
        ],
    }


def _small_print(report: ActivityReport, words: Words) -> list[str]:
    before = report.period.before()
    span = words.span(before.first_day, before.local_end)
    return [words.compared.format(span=span), words.averaged]
