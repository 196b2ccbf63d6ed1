"""Mail addresses, in the form that goes on the wire."""

import re
from email.headerregistry import Address
from email.utils import parseaddr

from email_validator import EmailNotValidError, validate_email

from tasuki.core.errors import ValidationFailed

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_address(text: str, *, name: str = "") -> Address:
    """Return an address, its domain as DNS has it (RFC 5891).

    Whether anybody reads it is found out by sending, not by looking at it.

    Args:
        name: Of the person, shown beside it.

    Raises:
        ValidationFailed: It is no single address.
    """
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=True)
    except EmailNotValidError as exc:
        raise ValidationFailed(f"{text[:80]!r} is no mail address: {exc}") from exc
    if _CONTROL.search(name):
        raise ValidationFailed("the name of an address has no line breaks")
    return Address(name, found.local_part, found.ascii_domain or found.domain)


def address_key(address: str) -> str:
    """Return what two ways to write an address have in common.

    A mail system may tell upper from lower case before the ``@`` (RFC 5321, 2.4), but none does
    so to tell people apart.
    """
    return address.casefold()


def check_sender(text: str) -> Address:
    """Return an address that may have a name: ``NAME <ADDRESS>``.

    Raises:
        ValidationFailed: It is none.
    """
    name, address = parseaddr(text)
    if "@" not in address and address.endswith("localhost"):
        raise ValidationFailed(f"{text[:80]!r} is no mail address")
    if address.endswith("@localhost"):  # only a mail system on this machine takes it
        return Address(name, address.removesuffix("@localhost"), "localhost")
    return check_address(address, name=name)
