"""What may be a username, an address, a password, a scope; no database and no network."""

import pytest

from tasuki.accounts.rules import (
    check_email,
    check_name,
    check_new_password,
    check_scopes,
    check_username,
    find_username,
)
from tasuki.core.errors import ValidationFailed


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("hanako", "hanako"),
        ("Hanako.Yamada_1-2", "Hanako.Yamada_1-2"),
        ("山田花子", "山田花子"),
        ("ｈａｎａｋｏ", "hanako"),
        ("か\u3099く", "がく"),
        ("a" * 64, "a" * 64),
    ],
)
def test_a_username_has_one_form(given: str, kept: str) -> None:
    """Two ways to type the same letters are one name (Unicode NFKC); case is kept."""
    assert check_username(given) == kept


@pytest.mark.parametrize(
    "given",
    ["", " ", "a b", "a@b", "a/b", "a\x00", "a\n", "\u200b", "a" * 65, "a" * 99_999, "﷽" * 9],
)
def test_a_username_is_letters_digits_and_three_marks(given: str) -> None:
    """Nothing that could break a path, a header or a line of a log."""
    assert find_username(given) is None
    with pytest.raises(ValidationFailed):
        check_username(given)


@pytest.mark.parametrize(
    "given", ["a@example.org", "first.last+tag@example.co.jp", "admin@localhost", "花子@例え.jp"]
)
def test_plausible_addresses_pass_unchanged(given: str) -> None:
    """Whether anybody reads it is not found out by looking at it."""
    assert check_email(given) == given


@pytest.mark.parametrize(
    "given",
    ["", "@", "a@", "@b", "a", "a@b@c", "a b@c", "a@b\r\nBcc: x@y", "a@b\x00", "a@b,c@d", '"a"@b',
     "a\u2028@b", "a" * 250 + "@b.jp"],
)  # fmt: skip
def test_what_could_break_a_mail_header_is_no_address(given: str) -> None:
    """Line breaks, lists and quotes never reach the mail system."""
    with pytest.raises(ValidationFailed):
        check_email(given)


def test_a_name_loses_white_space_around_it() -> None:
    """A stray blank is not part of anybody's name."""
    assert check_name("  Müller ") == "Müller"
    with pytest.raises(ValidationFailed):
        check_name("  ", least=1)


@pytest.mark.parametrize("given", ["12345678", "  spaces  ", "ああああああああ", "x" * 128])
def test_a_password_is_judged_by_its_length_alone(given: str) -> None:
    """No rules about kinds of characters: they make passwords worse (NIST SP 800-63B)."""
    check_new_password(given, username="hanako")


@pytest.mark.parametrize(
    "given", ["", "1234567", "x" * 129, "Hanako.Yamada", "ｈａｎａｋｏ.yamada"]
)
def test_a_password_is_neither_short_nor_endless_nor_the_username(given: str) -> None:
    """In upper case or full width it is the username still."""
    with pytest.raises(ValidationFailed) as refused:
        check_new_password(given, username="hanako.yamada", field="new")
    assert refused.value.errors[0]["loc"] == ["body", "new"]
    assert not given or given not in str(refused.value)


def test_scopes_are_sorted_and_each_stands_once() -> None:
    """Two users with the same rights look the same."""
    assert check_scopes(["task:b", "email:any", "task:a.b-c", "email:any"]) == [
        "email:any",
        "task:a.b-c",
        "task:b",
    ]


@pytest.mark.parametrize(
    "given", ["", "admin", "task:", "task:a b", "task:*", "email:any\n", "TASK:a"]
)
def test_an_unknown_scope_is_refused_with_those_there_are(given: str) -> None:
    """A misspelt scope that is silently kept would be found by a user who cannot work."""
    with pytest.raises(ValidationFailed, match="export:pii, metrics:read, task:NAME"):
        check_scopes([given])
