"""Decides what a username, an email address, a password and a scope may look like.

Passwords follow NIST SP 800-63B: a least length, a generous most, no rules about kinds of
characters.
"""

import re
import unicodedata
from collections.abc import Iterable

from tasuki.core.errors import ValidationFailed

MAX_USERNAME = 64
"""Characters of a username."""
MAX_NAME = 200
"""Characters of a name for people or of a token."""
MAX_EMAIL = 254
"""Characters of an address (RFC 5321, 4.5.3.1.3, less the angle brackets)."""
MIN_PASSWORD = 8
MAX_PASSWORD = 128
MAX_SCOPES = 200
"""Scopes that one user may hold."""

SCOPES = ("email:any", "email:bulk", "export:pii", "metrics:read")
"""Scopes with a fixed name; ``task:NAME`` exists for every task."""

_TASK_SCOPE = re.compile(r"task:[\w.\-]{1,200}")
# Characters that mean something in a mail header (RFC 5322, 3.2.3), less the dot.
_NOT_IN_EMAIL = frozenset('()<>[]:;\\,"')


def find_username(text: str) -> str | None:
    """Return a username in its one form (Unicode NFKC), or nothing if it cannot be one."""
    if len(text) > 4 * MAX_USERNAME:  # normalising may shorten it, but not so much
        return None
    name = unicodedata.normalize("NFKC", text)
    is_valid = 0 < len(name) <= MAX_USERNAME and all(
        char.isalnum() or char in "._-" for char in name
    )
    return name if is_valid else None


def check_username(text: str) -> str:
    """Return a username in its one form.

    Raises:
        ValidationFailed: It is empty, too long, or has other characters than letters, digits
            and ``._-``.
    """
    name = find_username(text)
    if name is None:
        raise invalid("username", f"must be 1 to {MAX_USERNAME} letters, digits, '.', '_', '-'")
    return name


def check_email(text: str) -> str:
    """Return an email address as given.

    Whether anybody reads it is found out by sending a mail, not by looking at it.

    Raises:
        ValidationFailed: It is no address, or holds what could break a mail's header.
    """
    local, _, domain = text.partition("@")
    is_valid = (
        len(text) <= MAX_EMAIL
        and local != ""
        and domain != ""
        and "@" not in domain
        and text.isprintable()
        and not any(char.isspace() or char in _NOT_IN_EMAIL for char in text)
    )
    if not is_valid:
        raise invalid("email", f"must be one address like name@example.org, <= {MAX_EMAIL}")
    return text


def check_name(text: str, *, field: str = "name", least: int = 0) -> str:
    """Return a name for people, without white space around it.

    Raises:
        ValidationFailed: It is too short, too long, or has control characters.
    """
    name = text.strip()
    if not least <= len(name) <= MAX_NAME or not name.isprintable():
        raise invalid(field, f"must be {least} to {MAX_NAME} printable characters")
    return name


def normal_password(password: str) -> str:
    """Return a password in its one form, so that every keyboard and system types the same."""
    return unicodedata.normalize("NFKC", password)


def check_new_password(password: str, *, username: str, field: str = "password") -> None:
    """Check a password that somebody wants to use from now on.

    Raises:
        ValidationFailed: It is too short, too long, or the username.
    """
    if not MIN_PASSWORD <= len(normal_password(password)) <= MAX_PASSWORD:
        raise invalid(field, f"must be {MIN_PASSWORD} to {MAX_PASSWORD} characters long")
    if normal_password(password).casefold() == username.casefold():
        raise invalid(field, "must not be the username")


def check_scopes(scopes: Iterable[str], *, known: Iterable[str] = SCOPES) -> list[str]:
    """Return scopes in order, each once.

    Raises:
        ValidationFailed: One is unknown; the message lists those there are.
    """
    wanted, fixed = set(scopes), set(known)
    if len(wanted) > MAX_SCOPES:
        raise invalid("scopes", f"are more than {MAX_SCOPES}")
    unknown = sorted(
        scope for scope in wanted if scope not in fixed and not _TASK_SCOPE.fullmatch(scope)
    )
    if unknown:
        there_are = ", ".join([*sorted(fixed), "task:NAME"])
        named = ", ".join(repr(scope[:60]) for scope in unknown[:5])
        raise invalid("scopes", f"unknown: {named}; there are: {there_are}")
    return sorted(wanted)


def invalid(field: str, message: str) -> ValidationFailed:
    """Return the error for one field of a body."""
    return ValidationFailed(
        f"{field}: {message}", errors=[{"loc": ["body", field], "msg": message}]
    )
