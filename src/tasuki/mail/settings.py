"""Which mail system takes our messages."""

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import ConfigDict, DirectoryPath, Field, SecretStr, model_validator

from tasuki.core.settings import SettingsGroup

Tls = Literal["starttls", "implicit", "none"]


class MailSettings(SettingsGroup):
    """Mail. Read from ``TASUKI_MAIL__*``."""

    # `from` is no name in Python; all else, the environment too, calls it that.
    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    host: str | None = Field(
        default=None, description="The mail system (SMTP); none: nothing is sent."
    )
    port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    tls: Tls = Field(
        default="starttls",
        description="starttls, implicit (usual on port 465), or none, for this machine only.",
    )
    ca_file: Path | None = Field(
        default=None, description="Who may vouch for its certificate; default: the system's."
    )
    username: str | None = Field(default=None, description="To log in with.")
    password: SecretStr | None = Field(default=None, description="To log in with.")
    from_: str = Field(
        default="tasuki@localhost",
        alias="from",
        description="The sender of every mail: an address, or NAME <ADDRESS>.",
    )
    templates: DirectoryPath | None = Field(
        default=None, description="A folder of your own templates; they win over those of Tasuki."
    )
    caught: bool = Field(
        default=False,
        description="Set by `tasuki up`: the mail system only catches mails, for admins to read.",
    )
    connections: int = Field(
        default=10,
        ge=1,
        le=100,
        description="Connections to it of one process; one of them is left to single mails.",
    )
    retry_for_s: float = Field(
        default=86400.0,
        gt=0,
        description="Seconds for which a mail that is not taken is tried again.",
    )
    retention_s: float = Field(
        default=604800.0, gt=0, description="Seconds for which a mail is kept once it has ended."
    )
    per_user_an_hour: int = Field(
        default=100, ge=1, description="Single mails that a user may order within an hour."
    )
    per_recipient_a_day: int = Field(
        default=20, ge=1, description="Single mails to one address within a day."
    )
    bulk_most: int = Field(
        default=20_000, ge=1, le=100_000, description="Recipients of one sending."
    )
    bulk_per_user_a_day: int = Field(
        default=100_000, ge=1, description="Recipients of all sendings of a user within a day."
    )
    bulk_per_s: float | None = Field(
        default=None,
        gt=0,
        description="Mails of sendings a second, all processes together; none: as fast as the "
        "mail system takes them.",
    )
    timeout_s: float = Field(
        default=60.0,
        gt=0,
        description="Seconds for an answer. A short time makes doubles: the mail system takes a "
        "message and we no longer hear it.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.host and self.tls == "none" and not _is_this_machine(self.host):
            msg = "tls: `none` is for a mail system on this machine only; use starttls or implicit"
            raise ValueError(msg)
        if (self.username is None) is not (self.password is None):
            msg = "username and password: set both or neither"
            raise ValueError(msg)
        return self


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
