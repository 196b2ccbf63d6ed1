"""Users over HTTP, for admins."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Response

from tasuki.accounts.schemas import UserIn, UserOut, UserPatch
from tasuki.accounts.users import UserService
from tasuki.web.depends import AdminUser, DbSession, provided
from tasuki.web.paging import Cursor, Limit, Page, bad_cursor, next_cursor, read_cursor
from tasuki.web.problem import ProblemRoute

users_router = APIRouter(prefix="/users", tags=["users"], route_class=ProblemRoute)

_MAX_ID = 2**63 - 1  # PostgreSQL's bigint

Users = Annotated[UserService, provided(UserService)]
UserId = Annotated[int, Path(ge=1, le=_MAX_ID, description="The user's number.")]


@users_router.get("")
async def list_users(
    admin: AdminUser,  # noqa: ARG001  # asking for it is the check
    session: DbSession,
    users: Users,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[UserOut]:
    """List all users in the order of their ids."""
    after = 0 if cursor is None else _id_in(cursor)
    found = await users.page(session, after=after, limit=limit + 1)
    shown = [UserOut.of(user) for user in found[:limit]]
    return Page(items=shown, next=next_cursor(found, limit, lambda user: user.id))


@users_router.post("", status_code=HTTPStatus.CREATED)
async def create_user(
    admin: AdminUser,  # noqa: ARG001  # asking for it is the check
    session: DbSession,
    users: Users,
    body: UserIn,
    response: Response,
) -> UserOut:
    """Add a user."""
    user = await users.create(
        session,
        username=body.username,
        email=body.email,
        password=body.password.get_secret_value() if body.password else None,
        name=body.name,
        role=body.role,
        scopes=body.scopes,
    )
    response.headers["Location"] = f"/api/v1/users/{user.id}"
    return UserOut.of(user)


@users_router.get("/{user_id}")
async def get_user(
    admin: AdminUser,  # noqa: ARG001  # asking for it is the check
    session: DbSession,
    users: Users,
    user_id: UserId,
) -> UserOut:
    """Show a user."""
    return UserOut.of(await users.get(session, user_id))


@users_router.patch("/{user_id}")
async def change_user(
    admin: AdminUser,  # noqa: ARG001  # asking for it is the check
    session: DbSession,
    users: Users,
    user_id: UserId,
    body: UserPatch,
) -> UserOut:
    """Change a user. Disabling ends all their sessions and tokens at once."""
    user = await users.change(
        session,
        user_id,
        email=body.email,
        email_verified=body.email_verified,
        name=body.name,
        role=body.role,
        scopes=body.scopes,
        disabled=body.disabled,
    )
    return UserOut.of(user)


def _id_in(cursor: str) -> int:
    key = read_cursor(cursor)
    if not (key.isascii() and key.isdigit() and len(key) < 19 and int(key) <= _MAX_ID):
        raise bad_cursor()
    return int(key)
