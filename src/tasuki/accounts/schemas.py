"""The JSON of accounts, as HTTP shows and takes it."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tasuki.accounts.records import Role, SessionRecord, User

# Longer than any text that is accepted; the services say the exact limits.
_TEXT = 1000


class UserOut(BaseModel):
    """Somebody who may use the system."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    name: str
    email: str
    email_verified: bool = Field(description="Whether they have shown that they read it.")
    role: Role
    scopes: list[str] = Field(description="What they may do; an admin may everything.")
    disabled: bool
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> "UserOut":
        """Return a user as JSON shows them."""
        return cls.model_validate(user)


class LoginIn(BaseModel):
    """A sign-in."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(max_length=_TEXT)
    password: SecretStr = Field(max_length=_TEXT)


class PasswordIn(BaseModel):
    """A change of one's own password."""

    model_config = ConfigDict(extra="forbid")

    old: SecretStr = Field(max_length=_TEXT)
    new: SecretStr = Field(max_length=_TEXT, description="8 to 128 characters of any kind.")


class SessionOut(BaseModel):
    """A browser that is signed in."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime = Field(description="Exact to a minute.")
    expires_at: datetime
    address: str | None
    user_agent: str | None
    current: bool = Field(description="Whether this very request uses it.")

    @classmethod
    def of(cls, record: SessionRecord, *, current: bool) -> "SessionOut":
        """Return a session as JSON shows it."""
        return cls(
            id=record.id,
            created_at=record.created_at,
            last_seen_at=record.last_seen_at,
            expires_at=record.expires_at,
            address=record.address,
            user_agent=record.user_agent,
            current=current,
        )


class TokenIn(BaseModel):
    """A wish for a new API token."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=_TEXT, description="What it is for.")


class NewToken(BaseModel):
    """A new API token, the only time it is shown."""

    id: UUID
    name: str
    token: str = Field(description="Send it as `Authorization: Bearer …`.")


class TokenOut(BaseModel):
    """An API token, without its secret."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    created_at: datetime
    last_used_at: datetime | None = Field(description="Exact to a minute.")


class TicketOut(BaseModel):
    """What opens one stream or socket."""

    ticket: str = Field(description="Send it as `?ticket=`; it works once.")
    expires_at: datetime = Field(description="Worthless from then on.")


class UserIn(BaseModel):
    """A new user."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(max_length=_TEXT, description="1 to 64 letters, digits, `.`, `_`, `-`.")
    email: str = Field(max_length=_TEXT)
    password: SecretStr | None = Field(
        default=None, max_length=_TEXT, description="Without one they cannot sign in."
    )
    name: str = Field(default="", max_length=_TEXT)
    role: Role = "user"
    scopes: list[str] = Field(default_factory=list, max_length=_TEXT)


class UserPatch(BaseModel):
    """What to change about a user; what is absent or null stays."""

    model_config = ConfigDict(extra="forbid")

    email: str | None = Field(
        default=None, max_length=_TEXT, description="Another one has to be verified anew."
    )
    email_verified: bool | None = Field(
        default=None, description="True: you know that the address is theirs."
    )
    name: str | None = Field(default=None, max_length=_TEXT)
    role: Role | None = None
    scopes: list[str] | None = Field(default=None, max_length=_TEXT)
    disabled: bool | None = Field(
        default=None, description="True ends all their sessions and tokens at once, for good."
    )
