"""Who is calling, as far as any capability needs to know."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import HTTPConnection


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """The caller of a request, after the proof of who they are.

    Attributes:
        id: The user's number; owners of tasks are compared with it.
        credential: Which session or token proved it, e.g. ``session:0190…``; ``host`` when an
            application of one's own did.
    """

    id: int
    username: str
    name: str = ""
    is_admin: bool = False
    scopes: frozenset[str] = frozenset()
    credential: str = "host"

    def has_scope(self, scope: str) -> bool:
        """Whether the caller may use this scope; an admin has every one."""
        return self.is_admin or scope in self.scopes

    @classmethod
    def of(cls, user: Any) -> "Principal":
        """Read a principal off a user object of another application.

        It needs an integer ``id``; ``username`` (or ``name``, ``email``), ``is_admin`` (or
        ``role == "admin"``, ``is_superuser``) and ``scopes`` are read where they exist.

        Raises:
            TypeError: There is no integer id.
        """
        if isinstance(user, cls):
            return user
        number = _read(user, "id")
        if not isinstance(number, int) or isinstance(number, bool):
            msg = f"current_user must give an object with an integer `id`, not {number!r}"
            raise TypeError(msg)
        name = str(_read(user, "name") or "")
        username = str(_read(user, "username") or name or _read(user, "email") or number)
        is_admin = (
            bool(_read(user, "is_admin") or _read(user, "is_superuser"))
            or _read(user, "role") == "admin"
        )
        scopes: Iterable[str] = _read(user, "scopes") or ()
        return cls(
            id=number, username=username, name=name, is_admin=is_admin, scopes=frozenset(scopes)
        )


class Authenticator(Protocol):
    """Finds out who is calling, from the headers alone.

    Implemented by accounts; an application of one's own brings its own dependency instead.
    """

    async def authenticate(self, connection: HTTPConnection) -> Principal | None:
        """Return the caller, or nothing when there is no valid proof."""
        ...

    async def is_valid(self, user: Principal) -> bool:
        """Whether a caller is still who they were, with the same credential and rights."""
        ...


def _read(user: Any, name: str) -> Any:
    return user.get(name) if isinstance(user, dict) else getattr(user, name, None)
