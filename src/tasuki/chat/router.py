"""Rooms over HTTP, and their sockets."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from tasuki.chat.records import ROOM_NAME, is_room_name
from tasuki.chat.schemas import ChatMessage, MemberIn, MemberOut, RoomIn, RoomOut
from tasuki.chat.service import ChatService
from tasuki.chat.sockets import open_room
from tasuki.realtime.sockets import add_sockets
from tasuki.web.depends import CurrentUser, DbSession, provided
from tasuki.web.paging import Cursor, Limit, Page, bad_cursor, next_cursor, read_cursor
from tasuki.web.problem import ProblemRoute

router = APIRouter(tags=["chat"], route_class=ProblemRoute)
add_sockets(router, "/ws/chat/{room_name}", open_room)

Chat = Annotated[ChatService, provided(ChatService)]
RoomName = Annotated[str, Path(pattern=ROOM_NAME, description="The room's name.")]
_MAX_ID = 2**63 - 1  # PostgreSQL's bigint


@router.get("/chat/rooms")
async def list_rooms(
    user: CurrentUser, session: DbSession, chat: Chat, cursor: Cursor = None, limit: Limit = 50
) -> Page[RoomOut]:
    """List public rooms and your own, by name."""
    after = None if cursor is None else _name_in(cursor)
    found = await chat.rooms(session, user, after=after, limit=limit + 1)
    return Page(
        items=[RoomOut.model_validate(room) for room in found[:limit]],
        next=next_cursor(found, limit, lambda room: room.name),
    )


@router.post("/chat/rooms", status_code=HTTPStatus.CREATED)
async def create_room(user: CurrentUser, session: DbSession, chat: Chat, body: RoomIn) -> RoomOut:
    """Make a room; you are its first member."""
    room = await chat.create(session, user, body.name, public=body.public)
    return RoomOut.model_validate(room)


@router.get("/chat/rooms/{name}")
async def show_room(user: CurrentUser, session: DbSession, chat: Chat, name: RoomName) -> RoomOut:
    """Show a room."""
    return RoomOut.model_validate(await chat.get(session, user, name))


@router.get("/chat/rooms/{name}/members")
async def list_members(
    user: CurrentUser,
    session: DbSession,
    chat: Chat,
    name: RoomName,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[MemberOut]:
    """List who belongs to a room. In a public one there may be others, who do not."""
    after = 0 if cursor is None else _number_in(cursor)
    found = await chat.members(session, user, name, after=after, limit=limit + 1)
    return Page(
        items=[MemberOut.model_validate(member) for member in found[:limit]],
        next=next_cursor(found, limit, lambda member: member.user_id),
    )


@router.post(
    "/chat/rooms/{name}/members",
    status_code=HTTPStatus.CREATED,
    responses={200: {"model": MemberOut, "description": "They belonged to it already."}},
)
async def add_member(
    user: CurrentUser,
    session: DbSession,
    chat: Chat,
    name: RoomName,
    body: MemberIn,
    response: Response,
) -> MemberOut:
    """Add somebody to a room that you belong to, or yourself to a public one.

    New members of a private room see what is said from then on. Whether there is such a user is
    not told.
    """
    member, is_new = await chat.add_member(session, user, name, body.user_id)
    if not is_new:
        response.status_code = HTTPStatus.OK
    return MemberOut.model_validate(member)


@router.delete("/chat/rooms/{name}/members/{user_id}", status_code=HTTPStatus.NO_CONTENT)
async def remove_member(
    user: CurrentUser,
    session: DbSession,
    chat: Chat,
    name: RoomName,
    user_id: Annotated[int, Path(ge=1, le=_MAX_ID)],
) -> None:
    """Leave a room, or send somebody away from one that you made or, as an admin, belong to.

    With its last member a private room ends, and what was said in it is deleted.
    """
    await chat.remove_member(session, user, name, user_id)


@router.get("/chat/rooms/{name}/messages")
async def list_messages(
    user: CurrentUser,
    session: DbSession,
    chat: Chat,
    name: RoomName,
    before: Annotated[
        int | None, Query(ge=1, le=_MAX_ID, description="`next` of the page before, or any `seq`.")
    ] = None,
    limit: Limit = 50,
) -> Page[ChatMessage]:
    """List what was said in a room, the newest first. `next` is passed as `before`.

    Of a private room you see what was said since you are a member.
    """
    found = await chat.messages(session, user, name, before=before, limit=limit + 1)
    return Page(
        items=[ChatMessage.of(said, name) for said in found[:limit]],
        next=str(found[limit - 1].seq) if len(found) > limit else None,
    )


def _name_in(cursor: str) -> str:
    name = read_cursor(cursor)
    if not is_room_name(name):
        raise bad_cursor()
    return name


def _number_in(cursor: str) -> int:
    text = read_cursor(cursor)
    if not text.isascii() or not text.isdigit() or int(text) > _MAX_ID:
        raise bad_cursor()
    return int(text)
