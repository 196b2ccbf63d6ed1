"""What all sides of the contest send, and how the usual recipe connects."""

import os
import smtplib
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from email.message import EmailMessage

SUBJECT = "The library is open again"
HTML = "<h1>Welcome back</h1>" + "<p>From Monday on our doors are open from nine to six.</p>" * 30
SENDER = "library@example.org"


def people(side: str, count: int) -> list[str]:
    """Return who is written to."""
    return [f"{side}{number}@example.org" for number in range(count)]


def message(to: str) -> EmailMessage:
    """Return a message in two forms, as the usual recipe makes it."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = SENDER, to, SUBJECT
    made.set_content("From Monday on our doors are open from nine to six.\n" * 30)
    made.add_alternative(HTML, subtype="html")
    return made


@contextmanager
def connected() -> Generator[smtplib.SMTP]:
    """Connect as the guide does: STARTTLS, then the login."""
    context = ssl.create_default_context(cafile=os.environ["BENCH_SMTP_CA"])
    with smtplib.SMTP("localhost", int(os.environ["BENCH_SMTP_PORT"])) as server:
        server.starttls(context=context)
        server.login("library", "open sesame")
        yield server
