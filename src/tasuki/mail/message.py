"""Makes a message of what somebody wants to say (RFC 5322, RFC 2045).

`email.message.EmailMessage` does the work. What it lets through is refused before: a line break
in a header's value, also one that is written as an encoded word (RFC 2047), which Python before
3.13 decodes into a header of its own.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8, EmailPolicy
from email.utils import format_datetime
from html.parser import HTMLParser

from tasuki.core.errors import ValidationFailed

MAX_SUBJECT = 500
MAX_BODY = 1_000_000
_MOST_UNFOLDED = 900  # a line has at most 998 characters (RFC 5322, 2.1.1)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\u0085\u2028\u2029]")
_WORD = re.compile(r"=\?[^?\s]*\?[bqBQ]\?[^?\s]*\?=")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """One message to one address.

    Attributes:
        text: For who reads no HTML; made of the HTML if there is none.
        key: Names the message: the same key gives the same ``Message-ID``.
        headers: More of them, such as ``List-Unsubscribe``.
    """

    to: Address
    subject: str
    html: str | None = None
    text: str | None = None
    key: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """A message as it is handed over.

    Attributes:
        content: Headers and body, lines ended by CR LF; ASCII, but for addresses that are not.
        is_ascii: No address needs SMTPUTF8 (RFC 6531).
    """

    sender: str
    recipient: str
    content: bytes
    is_ascii: bool


class Letter:
    """The same words to one or to many. What is the same for all is made once.

    Args:
        html: Or nothing, if there is a text.
        text: For who reads no HTML; made of the HTML if there is none.

    Raises:
        ValidationFailed: The subject has a line break, or there is nothing to say, or too much.
    """

    def __init__(
        self, subject: str, html: str | None, text: str | None, *, sender: Address
    ) -> None:
        check_size(html, text)
        self._sender = sender
        message = EmailMessage(policy=_policy(is_ascii=sender.addr_spec.isascii()))
        message["From"] = sender
        message["Subject"] = check_header("subject", subject)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notice answers
        message.set_content(text if text is not None else as_text(html or ""))
        if html is not None:
            message.add_alternative(html, subtype="html")
        self._same_for_all = message.as_bytes()

    def to(
        self, recipient: Address, *, key: str, at: datetime, headers: Mapping[str, str]
    ) -> Envelope:
        """Return it for one address.

        Args:
            key: Names the message: the same key gives the same ``Message-ID``.
            headers: More of them, such as ``List-Unsubscribe``.

        Raises:
            ValidationFailed: A header has a line break.
        """
        is_ascii = self._sender.addr_spec.isascii() and recipient.addr_spec.isascii()
        own = {
            "To": str(recipient),
            "Date": format_datetime(at),
            "Message-ID": message_id(key, self._sender.domain),
            **{name: check_header(name, value) for name, value in headers.items()},
        }
        policy = _policy(is_ascii=is_ascii)
        lines = [_header(name, value, policy) for name, value in own.items()]
        return Envelope(
            sender=self._sender.addr_spec,
            recipient=recipient.addr_spec,
            content=b"".join([*lines, self._same_for_all]),
            is_ascii=is_ascii,
        )


def compose(mail: Mail, *, sender: Address, at: datetime) -> Envelope:
    """Return a message as it goes on the wire.

    Raises:
        ValidationFailed: A header has a line break, or there is nothing to say.
    """
    letter = Letter(mail.subject, mail.html, mail.text, sender=sender)
    return letter.to(mail.to, key=mail.key, at=at, headers=mail.headers)


def _policy(*, is_ascii: bool) -> "EmailPolicy[EmailMessage]":
    """Return how messages are written: bodies in seven bits, for relays of any age."""
    return (SMTP if is_ascii else SMTPUTF8).clone(cte_type="7bit")


def _header(name: str, value: str, policy: "EmailPolicy[EmailMessage]") -> bytes:
    # Folding a header that needs none costs more than all else of a message.
    if value.isascii() and len(value) <= _MOST_UNFOLDED:
        return f"{name}: {value}\r\n".encode()
    folded = policy.fold_binary(name, policy.header_factory(name, value))
    return folded if isinstance(folded, bytes) else folded.encode()


def check_size(html: str | None, text: str | None) -> None:
    """Check that there is something to say, and not too much.

    Raises:
        ValidationFailed: There is not, or it is.
    """
    if html is None and text is None:
        raise ValidationFailed("a mail needs text or HTML")
    if max(len(text or ""), len(html or "")) > MAX_BODY:
        raise ValidationFailed(f"a mail has at most {MAX_BODY} characters")


def message_id(key: str, domain: str) -> str:
    """Return the same id for the same key, so that a receiver can tell a double."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"


def check_header(name: str, value: str) -> str:
    """Return a header's value.

    Raises:
        ValidationFailed: It is too long, or has a line break, in whatever disguise.
    """
    if len(value) > MAX_SUBJECT:
        raise ValidationFailed(f"{name}: at most {MAX_SUBJECT} characters")
    if _CONTROL.search(value) or _CONTROL.search(_decoded(value)):
        raise ValidationFailed(f"{name}: no line breaks and control characters")
    return value


def _decoded(value: str) -> str:
    """Return what a value says once its encoded words are decoded, again and again."""
    for _ in range(3):
        if not _WORD.search(value):
            break
        try:
            parts = decode_header(value)
        except (HeaderParseError, ValueError):
            return "\n"  # whatever it is, no honest subject looks like that
        value = "".join(
            part if isinstance(part, str) else part.decode(charset or "latin-1", "replace")
            for part, charset in _known(parts)
        )
    return value


def _known(parts: list[tuple[bytes | str, str | None]]) -> list[tuple[bytes | str, str | None]]:
    """Return the parts with a charset that Python has."""
    found = []
    for part, charset in parts:
        try:
            "".encode(charset or "latin-1")
        except LookupError:
            charset = "latin-1"  # noqa: PLW2901  # any that decodes every byte
        found.append((part, charset))
    return found


class _Text(HTMLParser):
    _BREAKS = frozenset(
        {"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "table", "ul", "ol"}
    )
    _SILENT = frozenset({"head", "style", "script", "title"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in self._SILENT
        if tag in self._BREAKS:
            self.parts.append("\n")
        if tag == "li":
            self.parts.append("- ")
        if tag == "a":
            self._links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in self._SILENT))
        if tag in self._BREAKS:
            self.parts.append("\n")
        if tag == "a" and self._links:
            link = self._links.pop()
            if link.startswith(("http:", "https:")) and self.parts[-1:] != [link]:
                self.parts.append(f" <{link}>")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(re.sub(r"\s+", " ", data))


def as_text(html: str) -> str:
    """Return the words of an HTML text, with its links."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    lines = [line.strip() for line in "".join(parser.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"
