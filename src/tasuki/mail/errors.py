"""How a message can fail to be taken, by what that means for trying again."""

from http import HTTPStatus

from tasuki.core.errors import TasukiError, Unavailable


class MailDeferred(Unavailable):
    """The mail system says "later" (4xx), or went away before it had the message."""


class MailUnreachable(Unavailable):
    """We cannot talk to the mail system: no connection, no TLS, or no login."""


class MailRejected(TasukiError):
    """The mail system says "never" (5xx).

    Attributes:
        is_address_fault: It says so of the address: there is no such mailbox.
    """

    code = "mail_rejected"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The mail system refuses the message"

    def __init__(self, detail: str, *, is_address_fault: bool = False) -> None:
        super().__init__(detail)
        self.is_address_fault = is_address_fault


class MailUnknown(TasukiError):
    """The mail system fell silent after the message's end: it may have taken it (RFC 1047)."""

    code = "mail_unknown"
    status = HTTPStatus.BAD_GATEWAY
    title = "Nobody knows whether the message was taken"
