"""Templates of mail: whose words count, and what neither words nor values can do."""

from html import unescape
from pathlib import Path

import pytest

from tasuki.core.errors import ValidationFailed
from tasuki.mail.message import MAX_BODY
from tasuki.mail.templates import TemplateFailed, Templates

HOSTILE = "{{ 7 * 7 }} {% raw %} <script>alert(1)</script> \"' onload=x"
VALUES: dict[str, str | int] = {
    "name": "Ann",
    "subject": "Hello",
    "content": "One\nline.\n\nAnother.",
    "link": "https://tasuki.example/tasks/7?a=1&b=2",
    "hours": 24,
    "dataset": "users",
    "task": "shop.invoice",
    "state": "failed",
    "reason": "no paper",
    "total": 3,
    "succeeded": 2,
    "failed": 1,
    "cancelled": 0,
}


def own(folder: Path, **files: str) -> Templates:
    """Return templates with a folder of a project's own."""
    for name, text in files.items():
        stem, _, kind = name.rpartition("_")
        (folder / f"{stem.replace('__', '.')}.{kind}").write_text(text)
    return Templates(folder)


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("name", Templates().names())
def test_each_of_ours_says_all_in_three_parts(name: str, language: str) -> None:
    """Who reads no HTML misses nothing, the link least of all."""
    made = Templates().render(name, {**VALUES, "language": language})

    assert made.subject
    assert made.html is not None
    assert f'<html lang="{language}">' in made.html
    if name != "message":  # whose words are all the caller's
        assert str(VALUES["link"]) in made.text
        assert f'href="{VALUES["link"]}"' in unescape(made.html)


def test_a_message_keeps_its_lines_and_paragraphs() -> None:
    """What somebody typed looks as it was typed, also from Windows."""
    made = Templates().render("message", {**VALUES, "content": "One\r\nline.\r\n\r\nAnother."})

    assert made.html is not None
    assert "One<br>line.</p>" in made.html
    assert ">Another.</p>" in made.html
    assert made.text == "One\r\nline.\r\n\r\nAnother."


@pytest.mark.parametrize("name", Templates().names())
def test_a_value_is_never_read_as_a_template_or_as_html(name: str) -> None:
    """Names and subjects come from people, some of whom try."""
    made = Templates().render(name, dict.fromkeys(VALUES, HOSTILE))

    assert made.html is not None
    assert "<script>" not in made.html
    assert "onload=x" not in made.html.replace("&#34;&#39; onload=x", "")
    assert "49" not in (made.subject or "") + made.text
    assert "{{ 7 * 7 }}" in made.html


def test_text_is_not_escaped() -> None:
    """In a text, `&amp;` would be read as it stands."""
    made = Templates().render("message", {"subject": "Q & A", "content": "Tom & Ann <3"})

    assert (made.subject, made.text) == ("Q & A", "Tom & Ann <3")


def test_a_value_that_calls_itself_safe_is_escaped_all_the_same(tmp_path: Path) -> None:
    """Markup is made by templates, not by those who fill them in."""

    class Safe(str):
        __slots__ = ()

        def __html__(self) -> str:
            return self

    made = own(tmp_path, a_html="{{ x }}").render("a", {"x": Safe("<b>")})

    assert made.html == "&lt;b&gt;"


def test_the_projects_own_words_win(tmp_path: Path) -> None:
    """A text of ours does not go out beside HTML of theirs; a subject of ours may."""
    made = own(tmp_path, message_html="<p>Ours: {{ content }}</p>").render("message", VALUES)

    assert made.html == "<p>Ours: One\nline.\n\nAnother.</p>"
    assert made.text == "Ours: One line. Another.\n"
    assert made.subject == "Hello"


def test_the_projects_own_layout_is_used_by_ours(tmp_path: Path) -> None:
    """A project's look is one file, for all mails."""
    layout = "<header>Shop</header>{% block body %}{% endblock %}"

    made = own(tmp_path, _layout_html=layout).render("verify", VALUES)

    assert made.html is not None
    assert made.html.startswith("<header>Shop</header>")


def test_names_are_those_that_can_be_used(tmp_path: Path) -> None:
    """Pieces of templates, subjects and other files are none."""
    templates = own(
        tmp_path,
        order_html="x",
        order__subject_txt="x",
        _foot_html="x",
        Readme_md="x",
        bill_txt="",
    )

    assert templates.names() == sorted({*Templates().names(), "order", "bill"})


@pytest.mark.parametrize(
    "name",
    ["welcome", "../settings", "/etc/passwd", "_layout", "verify.subject", "VERIFY", "", "a" * 99],
)
def test_an_unknown_name_is_answered_with_those_there_are(tmp_path: Path, name: str) -> None:
    """A name is looked up in folders, and leads nowhere else."""
    (tmp_path / "mails").mkdir()
    (tmp_path / "settings.html").write_text("secret")

    with pytest.raises(
        ValidationFailed, match=r"no template .* there are batch_ended, export_ready"
    ):
        Templates(tmp_path / "mails").render(name, VALUES)


def test_a_missing_value_is_named_with_its_place() -> None:
    """Whoever calls learns what to add."""
    with pytest.raises(ValidationFailed, match=r"verify\.html, line \d+: 'name' is undefined"):
        Templates().render("verify", {"link": "x", "hours": 1})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("\n{{ x.__class__ }}", "line 2: access to attribute '__class__'"),
        ("{{ ''.__class__.__mro__ }}", "line 1: access to attribute '__class__'"),
        ("{{ x|attr('__class__') }}", "line 1: access to attribute '__class__'"),
        ("{{ '{0.__class__}'.format(x) }}", "line 1: access to attribute '__class__'"),
        ("{{ y.append(1) }}", "line 1: .*'append' of 'list'.* is unsafe"),
        ("{% include '../settings.html' %}", "line 1: .*settings.html"),
        ("\n\n{% if %}", "line 3: Expected an expression"),
        ("{{ x / 0 }}", "line 1: "),
        ("{{ range(1000000) }}", "line 1: Range too big"),
        ("{% for _ in range(9000) %}{{ 'x' * 9000 }}{% endfor %}", f"more than {MAX_BODY}"),
        ("{% include 'a.html' %}", "line 1: .*recursion"),
    ],
)
def test_a_template_cannot_reach_out_and_says_where_it_tried(
    tmp_path: Path, text: str, fault: str
) -> None:
    """It is the project's own, and yet may have been pasted from anywhere."""
    folder = tmp_path / "mails"
    folder.mkdir()
    (tmp_path / "settings.html").write_text("secret")

    with pytest.raises(TemplateFailed, match=rf"(?s)template a\.html.*{fault}"):
        own(folder, a_html=text).render("a", {"x": "x", "y": []})


@pytest.mark.parametrize(
    ("value", "fault"),
    [(object(), "JSON"), ("\ud800", "JSON"), ("x" * (MAX_BODY + 1), "at most")],
)
def test_values_are_json_of_a_size(value: object, fault: str) -> None:
    """Objects of the program are none of a template's business."""
    with pytest.raises(ValidationFailed, match=fault):
        Templates().render("message", {"subject": "x", "content": value})


def test_what_a_template_wants_is_found_in_all_it_stands_on(tmp_path: Path) -> None:
    """What a frame asks for counts, what the template makes itself does not."""
    templates = own(
        tmp_path,
        _frame_html="{{ house }}{% block body %}{% endblock %}",
        lent_html=(
            '{% extends "_frame.html" %}{% from "_pieces.html" import heading as big %}'
            "{% set days = weeks * 7 %}{% block body %}{{ big(title ~ days ~ language) }}"
            "{% endblock %}"
        ),
        lent__subject_txt="{{ about }}",
        broken_html="{% if %}",
    )

    assert templates.variables("lent") == ["about", "house", "title", "weeks"]
    with pytest.raises(TemplateFailed, match=r"broken\.html, line 1"):
        templates.variables("broken")
