"""What accounts hand out: users, sessions, tokens, and the names of credentials."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Role = Literal["user", "admin"]

_SESSION = "session:"
_TOKEN = "token:"  # noqa: S105  # the prefix of a credential's name, no secret


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """Somebody who may use the system.

    Attributes:
        scopes: What they may do beyond the common; an admin may everything.
        email_verified: Whether they have shown that they read the address, or an admin said so.
        disabled: Cannot sign in, and no token of theirs works.
    """

    id: int
    username: str
    name: str
    email: str
    email_verified: bool
    role: Role
    scopes: tuple[str, ...]
    disabled: bool
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """What a sign-in is checked against; never leaves the services.

    Attributes:
        password_hash: None: the user has no password and cannot sign in.
    """

    user_id: int
    username: str
    password_hash: str | None
    disabled: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRecord:
    """A browser that is signed in."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    address: str | None
    user_agent: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRecord:
    """A key that lets a program act as its user."""

    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """The user behind a valid session or token, and which one it was."""

    credential_id: UUID
    user_id: int
    username: str
    name: str
    role: Role
    scopes: tuple[str, ...]


def session_credential(session_id: UUID) -> str:
    """Return the name of a session as `Principal.credential` holds it."""
    return f"{_SESSION}{session_id}"


def token_credential(token_id: UUID) -> str:
    """Return the name of an API token as `Principal.credential` holds it."""
    return f"{_TOKEN}{token_id}"


def session_id_in(credential: str) -> UUID | None:
    """Return the session that a credential names, or nothing if it is no session."""
    return UUID(credential[len(_SESSION) :]) if credential.startswith(_SESSION) else None


def token_id_in(credential: str) -> UUID | None:
    """Return the API token that a credential names, or nothing if it is no token."""
    return UUID(credential[len(_TOKEN) :]) if credential.startswith(_TOKEN) else None


def credential_key(credential: str) -> str:
    """Return the notice key that says a session or token has ended."""
    return f"credential:{credential}"


def user_key(user_id: int) -> str:
    """Return the notice key that says what a user may do has changed."""
    return f"user:{user_id}"
