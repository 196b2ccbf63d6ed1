"""Who may use the system: users, sessions, API tokens, and the proof of who is calling."""

from typing import TYPE_CHECKING

from tasuki.core.faces import opened_late

if TYPE_CHECKING:
    from tasuki.accounts.authenticator import AccountsAuthenticator
    from tasuki.accounts.errors import LastAdmin, UserExists, UserNotFound
    from tasuki.accounts.limits import LoginLimits
    from tasuki.accounts.login import LoginService
    from tasuki.accounts.passwords import Passwords
    from tasuki.accounts.records import User
    from tasuki.accounts.sessions import SessionService
    from tasuki.accounts.settings import AccountsSettings
    from tasuki.accounts.tokens import TokenService
    from tasuki.accounts.users import UserService
else:
    __getattr__ = opened_late(
        __name__,
        {
            "AccountsAuthenticator": "authenticator",
            "AccountsSettings": "settings",
            "LastAdmin": "errors",
            "LoginLimits": "limits",
            "LoginService": "login",
            "Passwords": "passwords",
            "SessionService": "sessions",
            "TokenService": "tokens",
            "User": "records",
            "UserExists": "errors",
            "UserNotFound": "errors",
            "UserService": "users",
        },
    )

__all__ = [
    "AccountsAuthenticator",
    "AccountsSettings",
    "LastAdmin",
    "LoginLimits",
    "LoginService",
    "Passwords",
    "SessionService",
    "TokenService",
    "User",
    "UserExists",
    "UserNotFound",
    "UserService",
]
