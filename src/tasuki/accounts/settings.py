"""How long a sign-in lasts, and how many wrong ones are let through."""

from pydantic import Field, SecretStr

from tasuki.core.settings import SettingsGroup

_DAY_S = 86_400


class AccountsSettings(SettingsGroup):
    """Users and sessions. Read from ``TASUKI_ACCOUNTS__*``."""

    admin_password: SecretStr | None = Field(
        default=None,
        description="Password of the first admin; counts on the first start only. "
        "Default: a random one, printed once.",
    )
    session_ttl_s: int = Field(
        default=14 * _DAY_S,
        ge=600,
        description="Seconds after which a session ends, however busy it is.",
    )
    session_idle_s: int = Field(
        default=3 * _DAY_S,
        # Use is noted once a minute; a much shorter limit would end sessions in use.
        ge=600,
        description="Seconds without a request after which a session ends; "
        "the default outlasts a weekend.",
    )
    login_window_s: int = Field(
        default=900, ge=1, description="Seconds over which wrong sign-ins are counted."
    )
    login_failures_per_account_and_address: int = Field(
        default=10,
        ge=1,
        description="Wrong sign-ins to one account from one address, in one window.",
    )
    login_failures_per_account: int = Field(
        default=50,
        ge=1,
        description="Wrong sign-ins to one account from all addresses, in one window; higher, "
        "so that a stranger does not lock its owner out too easily.",
    )
    login_failures_per_address: int = Field(
        default=100,
        ge=1,
        description="Wrong sign-ins from one address to all accounts, in one window; higher, "
        "since a whole office may share it.",
    )
