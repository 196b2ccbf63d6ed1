"""Rooms over HTTP: who belongs to them, who may change that, and what they read."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from support.rooms import Person, Town, running_town
from support.servers import Servers

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOMS = "/api/v1/chat/rooms"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Town]:
    """One system for all tests of this module."""
    async with running_town(servers, tmp_path_factory.mktemp("town"), rooms_per_user=5) as running:
        yield running


def outcome(answer: httpx.Response) -> tuple[int, str]:
    """Return what a client looks at of a refusal."""
    return answer.status_code, answer.json()["code"]


async def members(person: Person, room: str) -> list[dict[str, Any]]:
    """Return who belongs to a room."""
    answer = await person.here.get(f"{ROOMS}/{room}/members")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_who_makes_a_room_is_its_first_member(town: Town) -> None:
    """And it is public unless one says otherwise."""
    alice, room = await town.person("alice"), town.room()

    made = await alice.here.post(ROOMS, json={"name": room})

    assert made.status_code == 201
    body = made.json()
    assert {name: body[name] for name in ("name", "public", "created_by", "seq", "is_member")} == {
        "name": room,
        "public": True,
        "created_by": alice.id,
        "seq": 0,
        "is_member": True,
    }
    assert (await alice.here.get(f"{ROOMS}/{room}")).json() == body
    found = await members(alice, room)
    assert [(one["user_id"], one["username"]) for one in found] == [(alice.id, alice.name)]


async def test_a_name_is_given_once(town: Town) -> None:
    """Also to those who cannot see the room that has it."""
    alice, bob = await town.person("alice"), await town.person("bob")
    room = await alice.make_room(town.room())

    again = [await one.here.post(ROOMS, json={"name": room}) for one in (alice, bob)]

    assert [outcome(answer) for answer in again] == [(409, "room_exists")] * 2


async def test_of_many_who_take_a_name_at_once_one_gets_it(town: Town) -> None:
    """The others are told, and no room is half made."""
    people, room = [await town.person("taker") for _ in range(5)], town.room()

    answers = await asyncio.gather(*(one.here.post(ROOMS, json={"name": room}) for one in people))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert len(await members(people[0], room)) == 1


async def test_the_list_shows_public_rooms_and_ones_own(town: Town) -> None:
    """Page by page, by name; a private room shows to its members alone, admins included."""
    alice, bob = await town.person("alice"), await town.person("bob")
    public = await alice.make_room(town.room(), public=True)
    ours, hers = await alice.make_room(town.room(), bob), await alice.make_room(town.room())

    seen: dict[str, bool] = {}
    cursor: str | None = None
    while True:
        query = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await bob.here.get(ROOMS, params=query)).json()
        assert len(page["items"]) <= 2
        seen |= {one["name"]: one["is_member"] for one in page["items"]}
        cursor = page["next"]
        if cursor is None:
            break
    admin = await town.live.user("boss", role="admin")
    theirs = (await admin.get(ROOMS, params={"limit": 200})).json()["items"]

    assert list(seen) == sorted(seen)
    assert (seen[public], seen[ours], hers in seen) == (False, True, False)
    assert {ours, hers}.isdisjoint(one["name"] for one in theirs)


async def test_nobody_makes_rooms_without_end(town: Town) -> None:
    """Neither by HTTP nor by coming to names that nobody knows."""
    alice = await town.person("alice")
    for _ in range(5):
        await alice.make_room(town.room())

    refused = await alice.here.post(ROOMS, json={"name": town.room()})
    async with alice.knock(town.room()) as talk:
        code = await talk.closed()

    assert outcome(refused) == (403, "forbidden")
    assert "5 rooms" in refused.json()["detail"]
    assert code == 4403


async def test_a_private_room_is_to_others_as_if_it_were_not_there(town: Town) -> None:
    """Whatever they try; so are its members kept to themselves."""
    alice, eve = await town.person("alice"), await town.person("eve")
    room = await alice.make_room(town.room())
    admin = await town.live.user("chief", role="admin")

    answers = []
    for client, user_id in ((eve.here, eve.id), (admin, 1)):
        for name in (room, "no-such-room"):
            answers += [
                await client.get(f"{ROOMS}/{name}/members"),
                await client.get(f"{ROOMS}/{name}/messages"),
                await client.post(f"{ROOMS}/{name}/members", json={"user_id": user_id}),
                await client.delete(f"{ROOMS}/{name}/members/{user_id}"),
                await client.delete(f"{ROOMS}/{name}/members/{alice.id}"),
            ]

    assert {outcome(answer) for answer in answers} == {(404, "room_not_found")}


async def test_members_of_a_private_room_let_others_in(town: Town) -> None:
    """A name is known once its owner was there; adding somebody twice changes nothing."""
    alice, bob, carol = [await town.person(name) for name in ("alice", "bob", "carol")]
    room = await alice.make_room(town.room(), bob)

    added = await bob.here.post(f"{ROOMS}/{room}/members", json={"user_id": carol.id})
    again = await alice.here.post(f"{ROOMS}/{room}/members", json={"user_id": carol.id})
    async with bob.talk(room):
        pass
    names = {one["user_id"]: one["username"] for one in await members(carol, room)}

    assert (added.status_code, again.status_code) == (201, 200)
    assert added.json() == again.json()
    assert names == {alice.id: alice.name, bob.id: bob.name, carol.id: None}


async def test_to_a_public_room_one_adds_oneself(town: Town) -> None:
    """And others only once one belongs to it, so that nobody is put into rooms by strangers."""
    alice, bob = await town.person("alice"), await town.person("bob")
    room = await alice.make_room(town.room(), public=True)
    path = f"{ROOMS}/{room}/members"

    refused = await bob.here.post(path, json={"user_id": alice.id})
    joined = await bob.here.post(path, json={"user_id": bob.id})

    assert outcome(refused) == (403, "forbidden")
    assert (joined.status_code, joined.json()["username"]) == (201, bob.name)


async def test_others_are_sent_away_by_who_made_the_room_or_an_admin_in_it(town: Town) -> None:
    """Everybody else can only leave."""
    alice, bob, carol = [await town.person(name) for name in ("alice", "bob", "carol")]
    boss_id = await town.live.add_user("overseer", role="admin")
    boss = await town.live.browser(boss_id)
    room = await alice.make_room(town.room(), bob, carol)
    path = f"{ROOMS}/{room}/members"

    refused = await bob.here.delete(f"{path}/{carol.id}")
    unknown = await alice.here.delete(f"{path}/999999")
    left = await carol.here.delete(f"{path}/{carol.id}")
    await alice.here.post(path, json={"user_id": boss_id})
    by_admin = await boss.delete(f"{path}/{bob.id}")
    by_maker = await alice.here.delete(f"{path}/{boss_id}")

    assert outcome(refused) == (403, "forbidden")
    assert outcome(unknown) == (404, "not_found")
    assert [a.status_code for a in (left, by_admin, by_maker)] == [204, 204, 204]
    assert [one["user_id"] for one in await members(alice, room)] == [alice.id]


async def test_a_private_room_ends_with_its_last_member_and_a_public_one_stays(
    town: Town,
) -> None:
    """Nobody could ever read the one again, and its name is free; anybody may read the other."""
    alice, bob = await town.person("alice"), await town.person("bob")
    private = await alice.make_room(town.room(), bob)
    public = await alice.make_room(town.room(), public=True)
    async with alice.talk(private) as one, alice.talk(public) as other:
        for talk in (one, other):
            await talk.say({"type": "chat", "message": "hello"})
            await talk.hear_until("chat")

    both = await asyncio.gather(
        *(one.here.delete(f"{ROOMS}/{private}/members/{one.id}") for one in (alice, bob))
    )
    await alice.here.delete(f"{ROOMS}/{public}/members/{alice.id}")

    assert [answer.status_code for answer in both] == [204, 204]
    assert (await bob.here.post(ROOMS, json={"name": private})).status_code == 201
    assert (await bob.messages(private))["items"] == []
    assert len((await bob.messages(public))["items"]) == 1


async def test_history_is_read_from_the_newest_page_by_page(town: Town) -> None:
    """What is said meanwhile moves no page."""
    alice, room = await town.person("alice"), town.room()
    async with alice.talk(room) as talk:
        for number in range(1, 6):
            await talk.say({"type": "chat", "message": f"{number}"})
            await talk.hear_until("chat")
        first = await alice.messages(room, limit=2)
        await talk.say({"type": "chat", "message": "6"})
        await talk.hear_until("chat")
    second = await alice.messages(room, limit=2, before=first["next"])
    third = await alice.messages(room, limit=2, before=second["next"])

    pages = [[one["seq"] for one in page["items"]] for page in (first, second, third)]
    assert pages == [[5, 4], [3, 2], [1]]
    assert third["next"] is None
    bad = await alice.here.get(f"{ROOMS}/{room}/messages", params={"before": "x"})
    assert outcome(bad) == (422, "validation_failed")


@pytest.mark.parametrize("cursor", ["%", "eA", "LTE", "w6Q", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk"])
async def test_a_cursor_of_ones_own_making_is_refused(town: Town, cursor: str) -> None:
    """It says so, and nothing breaks."""
    alice = await town.person("alice")
    room = await alice.make_room(town.room())

    answer = await alice.here.get(f"{ROOMS}/{room}/members", params={"cursor": cursor})

    assert outcome(answer) == (422, "validation_failed")
