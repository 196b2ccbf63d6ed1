"""Takes a message apart, whatever it is: anybody on this machine can send us one."""

from email import message_from_bytes
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP

from tasuki.mail.catching.records import Attachment, Letter

_MOST_HEADERS = 200
_MOST_VALUE = 2_000  # characters


def read_letter(content: bytes) -> Letter:
    """Return what is in a message; of what cannot be read, as much as can."""
    message = _parse(content)
    return Letter(
        headers=_headers(message),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        attachments=[_attachment(part) for part in message.iter_attachments()],
    )


def read_subject(content: bytes) -> str:
    """Return the subject of a message; empty if it has none."""
    return next((text for name, text in _headers(_parse(content)) if name == "Subject"), "")


def printable(text: str) -> str:
    """Return a text that a database and JSON take: no NUL, no half of a character."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _parse(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=SMTP)


def _headers(message: EmailMessage) -> list[tuple[str, str]]:
    found = []
    for name, raw in list(message.raw_items())[:_MOST_HEADERS]:
        try:
            value = str(message.policy.header_fetch_parse(name, raw))
        except Exception:  # noqa: BLE001  # Python's parser raises anything on hostile headers
            value = str(raw)
        shown = "Subject" if name.lower() == "subject" else name
        found.append((printable(shown), printable(value)[:_MOST_VALUE]))
    return found


def _body(message: EmailMessage, kind: str) -> str | None:
    try:
        part = message.get_body((kind,))
        return None if part is None else printable(_text(part)).replace("\r\n", "\n")
    except (LookupError, ValueError, KeyError):
        return None  # its structure is broken; the raw message is there to be looked at


def _text(part: MIMEPart) -> str:
    try:
        return str(part.get_content())
    except LookupError:  # a charset that nobody knows
        return bytes(part.get_payload(decode=True) or b"").decode("latin-1")


def _attachment(part: MIMEPart) -> Attachment:
    content = part.get_payload(decode=True)
    return Attachment(
        name=printable(part.get_filename() or "")[:200],
        media_type=part.get_content_type(),
        size_bytes=len(content) if isinstance(content, bytes) else len(part.as_bytes()),
    )
