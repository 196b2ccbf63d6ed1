"""Something to send."""

from datetime import UTC, datetime

from tasuki.mail.addresses import check_address, check_sender
from tasuki.mail.message import Envelope, Mail, compose

SENDER = check_sender("Tasuki <tasuki@example.org>")


def message(to: str = "reader@example.org", *, key: str = "k") -> Envelope:
    """Return a message in two forms."""
    mail = Mail(
        to=check_address(to), subject="本が届きました", html="<p>Come &amp; see</p>", key=key
    )
    return compose(mail, sender=SENDER, at=datetime(2026, 11, 24, tzinfo=UTC))
