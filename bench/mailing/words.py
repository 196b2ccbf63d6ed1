"""What all sides of the contest send: the same message to each of the same people."""

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
