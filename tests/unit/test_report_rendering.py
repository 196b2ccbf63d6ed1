"""A report as a PDF, read back with a PDF reader."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pypdf
import pytest

from tasuki.core.errors import Unavailable
from tasuki.reports import rendering
from tasuki.reports.numbers import ActivityReport, CountedRow, Period
from tasuki.reports.rendering import LONGEST_TABLE, RenderingFailed, ReportRenderer
from tasuki.reports.words import Language

NOW = datetime(2026, 11, 24, 5, 32, tzinfo=UTC)
MONTH = Period.last(30, now=NOW, timezone=ZoneInfo("Asia/Tokyo"))


@pytest.fixture(scope="module")
def renderer() -> ReportRenderer:
    """One compiler for all tests of this file, as in a worker."""
    return ReportRenderer()


def report(
    kinds: dict[str, int], *, name: str = "山田 太郎", before: bool = True, period: Period = MONTH
) -> ActivityReport:
    rows: list[CountedRow] = [(period.last_day, kind, count) for kind, count in kinds.items()]
    shift = timedelta(days=period.days)
    earlier = [(day - shift, kind, 2 * count) for day, kind, count in rows] if before else []
    return ActivityReport.of(rows, earlier, period=period, username="taro", display_name=name)


def read(pdf: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(pdf))


def text(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in read(pdf).pages)


def is_of_standard(pdf: bytes) -> bool:
    """Whether the PDF claims both PDF/UA-1 and PDF/A-2b in its metadata."""
    return b"<pdfuaid:part>1<" in pdf and b"<pdfaid:part>2<" in pdf


def test_a_report_says_whose_it_is_when_and_how_much(renderer: ReportRenderer) -> None:
    """The text of the PDF can be selected, searched and read aloud."""
    pdf = renderer.render(report({"login": 1234, "invoice.sent": 7}), language="en")

    said = text(pdf)
    for phrase in (
        "Activity report",
        "山田 太郎 @taro",
        "26 Oct 2026 – 24 Nov 2026 14:32",
        "Asia/Tokyo, UTC+9",
        "Logins 1,234 2,468 −1,234 −50%",
        "invoice.sent 7 14 −7 −50%",
        "24 Nov is still running: counted until 14:32",
        "Compared with 26 Sep 2026 – 25 Oct 2026 14:32",
        "Page 1 of 1",
    ):
        assert phrase in said
    assert is_of_standard(pdf)


def test_a_japanese_report_is_japanese(renderer: ReportRenderer) -> None:
    """Phrases, dates and weekdays, with the bundled font and as text."""
    pdf = renderer.render(report({"login": 3, "請求書.送付": 7}), language="ja")

    said = text(pdf)
    for phrase in (
        "活動レポート",
        "2026年10月26日 – 2026年11月24日 14:32",
        "ログイン 3 6 −3 −50%",
        "請求書.送付 7 14",
        "月曜日",
        "1 / 1 ページ",
    ):
        assert phrase in said
    assert str(read(pdf).root_object["/Lang"]) == "ja"


def test_the_fonts_are_ours_and_embedded(renderer: ReportRenderer) -> None:
    """A report looks the same on every machine, whatever fonts that has."""
    page = read(renderer.render(report({"login": 1}), language="ja")).pages[0]

    embedded, missing = page._get_fonts()
    families = {name.split("+")[-1].split("-")[0] for name in embedded}
    assert families == {"Inter", "BIZUDPGothic"}
    assert not missing


def test_the_page_is_a4_and_carries_its_metadata(renderer: ReportRenderer) -> None:
    """An archive finds it by title, author and date."""
    made = read(renderer.render(report({"login": 1}), language="en"))

    box = made.pages[0].mediabox
    assert (round(box.width), round(box.height)) == (595, 842)
    assert made.metadata is not None
    assert made.metadata.title == ("Activity report – 山田 太郎 – 26 Oct 2026 – 24 Nov 2026 14:32")
    assert made.metadata.author == "Tasuki"
    assert made.metadata.creation_date == NOW


def test_the_same_report_gives_the_same_bytes(renderer: ReportRenderer) -> None:
    """A task that runs twice replaces its document with an equal one."""
    made = report({"login": 5, "post": 2})

    first = renderer.render(made, language="en")
    renderer.render(report({"other": 1}), language="ja")

    assert renderer.render(made, language="en") == first
    assert ReportRenderer().render(made, language="en") == first


@pytest.mark.parametrize(
    "hostile",
    [
        '#panic("x")',
        '#read("/etc/passwd")',
        "<b>x</b>",
        "$x$ *b* _i_ `r` @ref // /*",
        '"></text><script>',
        "{count} {0} %s",
        "\\u{1F600} \\n",
    ],
)
def test_text_of_users_is_printed_and_never_obeyed(renderer: ReportRenderer, hostile: str) -> None:
    """Typst can read files and stop; a kind or a name must reach neither."""
    pdf = renderer.render(report({hostile: 3}, name=hostile), language="en")

    assert f"{hostile} @taro" in text(pdf)
    assert f"{hostile} 3 6 −3 −50%" in text(pdf)


def test_a_kind_of_64_letters_stays_in_its_column(renderer: ReportRenderer) -> None:
    """A long word breaks instead of running over the figures, and copies without extras."""
    pdf = renderer.render(report({"W" * 64: 3}), language="en")

    table, _, _ = text(pdf).partition("By day")
    lines = [line for line in table.splitlines() if line and set(line) == {"W"}]
    assert sum(map(len, lines)) == 64
    assert len(lines) > 1


@pytest.mark.parametrize("name", ["한국", "😀", "𠮷野家", "\ud800", "\x00", "a\u202eb\ufffe"])
def test_a_character_without_a_glyph_does_not_stop_a_report(
    renderer: ReportRenderer, name: str
) -> None:
    """The standards forbid empty boxes; a report with one box beats no report."""
    pdf = renderer.render(report({"login": 3, name: 2}, name=name), language="en")

    assert "Logins 3 6" in text(pdf)


def test_an_empty_period_says_so(renderer: ReportRenderer) -> None:
    """Nothing recorded is an answer, in words."""
    never = report({})
    no_more = ActivityReport.of(
        [], [(MONTH.before().last_day, "login", 4)], period=MONTH, username="taro"
    )

    assert "nor in the period before" in text(renderer.render(never, language="en"))
    said = text(renderer.render(no_more, language="en"))
    assert "Nothing was recorded in this period." in said
    assert "Logins 0 4 −4 −100%" in said


def test_something_out_of_nothing_is_called_new(renderer: ReportRenderer) -> None:
    """No percentage exists where nothing was before."""
    pdf = renderer.render(report({"login": 3}, before=False), language="en")

    assert "Logins 3 0 +3 new" in text(pdf)


def test_all_of_forty_kinds_are_in_the_table(renderer: ReportRenderer) -> None:
    """The chart folds the small ones, the table keeps them, over as many pages as needed."""
    pdf = renderer.render(report({f"kind.{n}": 100 - n for n in range(40)}), language="en")

    said = text(pdf)
    assert all(f"kind.{n} {100 - n} " in said for n in range(40))
    assert "Other kinds" in said
    assert "Page 2 of 2" in said


def test_a_table_ends_at_its_longest_and_says_so(renderer: ReportRenderer) -> None:
    """Typst needs minutes and gigabytes for tables without an end."""
    kinds = {f"kind.{n:04}": 9_000 - n for n in range(LONGEST_TABLE + 50)}

    said = text(renderer.render(report(kinds), language="en"))

    # all kinds together and three standard ones take four rows of the table
    assert f"kind.{LONGEST_TABLE - 5:04} " in said
    assert f"kind.{LONGEST_TABLE - 4:04} " not in said
    assert "Not listed: 54 smaller kinds" in said


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("days", [1, 7, 366])
def test_every_length_of_period_fits_one_page(
    renderer: ReportRenderer, days: int, language: Language
) -> None:
    """The usual report is one sheet of paper, to the standard."""
    period = Period.last(days, now=NOW, timezone=ZoneInfo("America/New_York"))
    kinds = {"login": 900_000, "post": 80_000, "comment": 7_000, "own.one": 600, "own.two": 50}

    pdf = renderer.render(report(kinds, period=period), language=language)

    assert len(read(pdf).pages) == 1
    assert is_of_standard(pdf)


def test_threads_take_turns_at_one_renderer(renderer: ReportRenderer) -> None:
    """The compiler refuses to be entered twice; a renderer must not."""
    made = report({"login": 5})
    expected = renderer.render(made, language="en")
    pdfs: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: pdfs.append(renderer.render(made, language="en")))
        for _ in range(4)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert pdfs == [expected] * 4


FORKED = """
import os, sys
from test_report_rendering import ReportRenderer, RenderingFailed, report

renderer, made = ReportRenderer(), report({})
renderer.render(made, language="en")
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
try:
    renderer.render(made, language="en")
except RenderingFailed as exc:
    os._exit(42 if "before a fork" in str(exc) else 1)
os._exit(1)
"""


def test_a_compiler_from_before_a_fork_is_refused() -> None:
    """Typst's threads are gone in the child: it would wait for them for ever."""
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])

    done = subprocess.run(
        [sys.executable, "-c", FORKED],
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
        timeout=60,
    )

    assert done.returncode == 42


def test_a_report_does_not_wait_for_ever_for_another(
    renderer: ReportRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every wait has an end; this one may be tried again."""
    monkeypatch.setattr(rendering, "TURN_TIMEOUT_S", 0.01)

    with renderer._turn, pytest.raises(Unavailable):
        renderer.render(report({}), language="en")


def test_a_refused_report_is_our_error_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever catches it needs to know no Typst."""
    broken = tmp_path / "broken.typ"
    broken.write_text("#panic[no page]")
    monkeypatch.setattr(rendering, "_TEMPLATE", broken)

    with pytest.raises(RenderingFailed, match="no page"):
        ReportRenderer().render(report({}), language="en")
