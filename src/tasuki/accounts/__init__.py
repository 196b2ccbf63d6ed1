"""Who may use the system: users, sessions, API tokens, and the proof of who is calling."""

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
