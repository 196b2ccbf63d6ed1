"""Several people at once in the console: what they are told, and what they say in rooms."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, WebSocketRoute, expect

from support.client import Client
from support.console import HOSTILE, SAY, Window, heading, lines, make_room, open_room, order, say
from support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

Tell = Callable[..., Awaitable[str]]

TURN = """(isHidden) => {
  Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
"""Hides a tab, or shows it again: without a screen no tab hides another."""


@pytest.fixture
def tell(house_admin: Client) -> Tell:
    """Tell users something, as an admin; without one, everybody."""

    async def run(title: str, username: str | None = None, **more: Any) -> str:
        to: dict[str, Any] = {"broadcast": True}
        if username is not None:
            to = {"user_id": await id_of(house_admin, username)}
        body = {"notification_type": "note", "title": title, "message": "The rest of it.", **to}
        answer = await house_admin.post("/api/v1/notifications", json=body | more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    return run


@pytest_asyncio.fixture(loop_scope="module")
async def friend(house_admin: Client, person: str) -> str:
    """Another user of the test's own."""
    username = f"b_{person}"[:40]
    await house_admin.new_user(username)
    return username


async def id_of(admin: Client, username: str) -> int:
    """Return a user's number."""
    answer = await admin.get("/api/v1/users", params={"limit": 200})
    return {one["username"]: int(one["id"]) for one in answer.json()["items"]}[username]


def bell(page: Page, unread: int) -> Locator:
    """Return the bell that shows so many unread ones."""
    name = f"Notifications, {unread} unread" if unread else "Notifications"
    return page.get_by_role("banner").get_by_role("button", name=name, exact=True)


def inbox(page: Page) -> Locator:
    """Return the bell's panel."""
    return page.get_by_role("dialog", name="Notifications")


async def test_a_notification_arrives_without_a_reload_and_opening_it_reads_it_in_every_tab(
    console: Window, person: str, tell: Tell
) -> None:
    """Whoever works in two tabs must not be told the same thing twice."""
    async with console(person) as page:
        task_id = await order(page, "test.echo", text="told")
        other = await page.context.new_page()
        for tab in (page, other):
            await tab.goto("/account")
            await expect(bell(tab, 0)).to_be_visible()
            await expect(tab.get_by_text("Live", exact=True)).to_be_visible()

        await tell("Your echo is back", person, data={"task_id": task_id})
        await tell(HOSTILE, person)
        await tell("The house is closed tomorrow")
        for tab in (page, other):
            await expect(bell(tab, 3)).to_be_visible()
            await expect(tab).to_have_title("(3) Account · Tasuki")
        await expect(page.get_by_role("status").first).to_contain_text("The house is closed")
        await bell(page, 3).click()
        items = inbox(page).get_by_role("listitem")
        await expect(items).to_have_count(3)
        await expect(items.first).to_contain_text("to everybody")
        await expect(items.nth(1)).to_contain_text(HOSTILE)
        await items.last.get_by_role("link").click()

        await heading(page, "test.echo")
        await expect(inbox(page)).to_be_hidden()
        for tab in (page, other):
            await expect(bell(tab, 2)).to_be_visible()
        await bell(other, 2).click()
        await expect(inbox(other).get_by_role("listitem").last).not_to_contain_text("Unread")
        await inbox(other).get_by_role("button", name="Mark all read").click()
        for tab in (page, other):
            await expect(bell(tab, 0)).to_be_visible()
        await page.reload()
        await heading(page, "test.echo")
        await expect(bell(page, 0)).to_be_visible()


async def test_all_notifications_are_read_page_by_page(
    console: Window, person: str, tell: Tell
) -> None:
    """What was told last month can be found again; what comes meanwhile stands above."""
    async with console(person) as page:
        await asyncio.gather(*(tell(f"Number {number}", person) for number in range(52)))
        await page.goto("/notifications")
        items = page.get_by_role("main").get_by_role("listitem")
        await expect(items).to_have_count(50)
        await tell("Number 52", person)
        await expect(items.first).to_contain_text("Number 52")
        await page.get_by_role("button", name="Show more").click()
        await expect(items).to_have_count(53)
        titles = await page.get_by_role("main").locator(".note-title").all_inner_texts()
        assert {title.split()[-1] for title in titles} == {str(number) for number in range(53)}
        await page.get_by_role("button", name="Mark Number 0 as read").click()

        await expect(bell(page, 52)).to_be_visible()
        await page.get_by_role("button", name="Mark all read").first.click()
        await expect(page.get_by_role("main")).to_contain_text("All read")


async def test_what_happened_while_a_tab_was_away_is_there_when_it_is_back(
    console: Window, person: str, tell: Tell
) -> None:
    """A lost connection is said, and costs nothing: neither a notification nor a task."""
    async with console(person, expected=("net::ERR_",)) as page:
        await page.goto("/")
        await tell("Before", person)
        await expect(bell(page, 1)).to_be_visible()
        await page.context.set_offline(True)
        away = page.get_by_text("You are offline.")
        await expect(page.get_by_text("Offline", exact=True)).to_be_visible()
        await expect(away).to_be_visible()
        task_id = await order(page, "test.echo", text="later")
        await tell("Meanwhile", person)

        await page.context.set_offline(False)

        await expect(bell(page, 2)).to_be_visible()
        await expect(away).to_be_hidden()
        await expect(page.locator(f'a[href="/tasks/{task_id}"]')).to_be_visible()


async def test_a_hidden_tab_keeps_its_unread_number_true(
    console: Window, person: str, tell: Tell
) -> None:
    """Its title is all that one sees of it, and it has given its stream back."""
    async with console(person) as page:
        await page.clock.install()
        await page.goto("/account")
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        await page.evaluate(TURN, True)
        await page.clock.fast_forward(30_000)
        await expect(page.get_by_text("Paused", exact=True)).to_be_visible()
        await tell("Unseen", person)
        await page.clock.fast_forward(60_000)
        await expect(page).to_have_title("(1) Account · Tasuki")
        await page.request.post("/api/v1/notifications/read-all")
        await page.clock.fast_forward(60_000)
        await expect(page).to_have_title("Account · Tasuki")
        await tell("Seen", person)

        await page.evaluate(TURN, False)

        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        await expect(page).to_have_title("(1) Account · Tasuki")


async def test_an_own_list_is_told_of_changes_and_does_not_ask_in_vain(
    console: Window, person: str
) -> None:
    """A hundred open tabs that ask every few seconds are a load; a change must show at once."""
    async with console(person) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto("/")
        await expect(page.get_by_text("Nothing on its way yet")).to_be_visible()
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        await page.clock.install()
        asked.clear()
        await page.clock.run_for(20_000)
        assert not [url for url in asked if "/api/v1/tasks" in url]

        task_id = await order(page, "test.echo", text="now")
        row = page.get_by_role("row").filter(has=page.locator(f'a[href="/tasks/{task_id}"]'))
        await page.clock.run_for(1_000)
        await expect(row).to_contain_text("Succeeded")


async def test_a_private_room_is_made_and_its_members_let_others_in(
    console: Window, person: str, friend: str, house_admin: Client
) -> None:
    """Whoever is not let in is not even told that there is such a room."""
    number = await id_of(house_admin, friend)
    async with console(person) as mine, console(friend) as theirs:
        await mine.goto("/chat")
        room = f"tea-{number}"
        await mine.get_by_label("New room").fill(room)
        await mine.get_by_label("Only for those whom").check()
        await mine.get_by_role("button", name="Make it").click()
        await heading(mine, room)
        await theirs.goto(f"/chat/{room}")
        await expect(theirs.get_by_role("alert")).to_contain_text("There is no room")

        await mine.get_by_text("Members (1)").click()
        await mine.get_by_role("spinbutton", name="Let somebody in").fill(str(number))
        await mine.get_by_role("button", name="Let in").click()
        await expect(mine.get_by_text("Members (2)")).to_be_visible()
        await open_room(theirs, room)
        await expect(mine.get_by_role("log")).to_contain_text(f"{friend} came in")
        await mine.get_by_role("button", name=re.compile("^Send .* away$")).click()
        await mine.get_by_role("dialog").get_by_role("button", name="Send away").click()

        await expect(theirs.get_by_role("alert")).to_contain_text("do not belong to this room")
        await mine.get_by_role("button", name="Leave the room").click()
        await mine.get_by_role("dialog").get_by_role("button", name="Leave").click()
        await heading(mine, "Chat")


async def test_two_people_talk_also_in_japanese(console: Window, person: str, friend: str) -> None:
    """Enter sends, but not while characters are composed: half a sentence would be said."""
    async with console(person) as mine, console(friend) as theirs:
        room = await make_room(mine, public=True)
        await open_room(mine, room)
        await open_room(theirs, room)
        await expect(mine).to_have_title(f"{room} · Tasuki")  # who has two rooms open, finds it
        write = mine.get_by_role("textbox", name="Message to")
        await write.press_sequentially("お茶")
        cdp = await mine.context.new_cdp_session(mine)
        composed = {"text": "を", "selectionStart": 1, "selectionEnd": 1}
        await cdp.send("Input.imeSetComposition", composed)
        enter = {
            "type": "rawKeyDown",
            "key": "Enter",
            "code": "Enter",
            "windowsVirtualKeyCode": 13,
        }
        await cdp.send("Input.dispatchKeyEvent", enter)
        await cdp.send("Input.insertText", {"text": "を"})
        await expect(write).to_have_value("お茶を")
        await mine.keyboard.press("Shift+Enter")
        await mine.keyboard.type("どうぞ")
        await mine.keyboard.press("Enter")
        await expect(write).to_have_value("")
        await expect(lines(theirs)).to_have_text(["お茶を\nどうぞ"])
        await say(theirs, HOSTILE)
        await expect(lines(mine)).to_have_text(["お茶を\nどうぞ", HOSTILE])

        await theirs.goto("/chat")
        await say(mine, "Are you there?")
        row = theirs.get_by_label("Rooms").get_by_role("listitem").filter(has_text=room)
        await expect(row).to_contain_text("1 new")
        await expect(row).to_contain_text("3 messages")


async def test_who_came_in_stands_above_what_they_said_though_it_is_heard_later(
    console: Window, person: str, friend: str
) -> None:
    """What is said goes a shorter way; a greeting from nobody, who comes in then, confuses."""
    held: list[str | bytes] = []

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_back(message: str | bytes) -> None:
            if json.loads(message)["type"] == "user_joined":
                held.append(message)
                return
            socket.send(message)
            if json.loads(message)["type"] == "chat":
                for late in held:
                    socket.send(late)

        server.on_message(pass_back)

    async with console(person) as mine, console(friend) as theirs:
        await mine.route_web_socket(re.compile("/ws/chat/"), between)
        room = await make_room(mine, public=True)
        await open_room(mine, room)
        await open_room(theirs, room)
        await until(lambda: len(held) == 2, within=15, what="both have come in")
        await say(theirs, "Good morning")

        log = mine.get_by_role("log").get_by_role("listitem")
        came_in, said = f"{friend} came in", "Good morning"
        await expect(log).to_contain_text([re.compile("."), came_in, said])
        held.clear()
        await say(theirs, "Anybody here?")
        await expect(log).to_contain_text([re.compile("."), came_in, said, "Anybody here?"])


async def test_an_admin_ends_a_connection_and_nothing_that_was_said_is_lost_or_doubled(
    console: Window, person: str, friend: str
) -> None:
    """Who is sent away sees it, goes on when they like, and finds all in its order."""
    async with console(person) as mine, console(friend) as theirs, console("admin") as admin:
        room = await make_room(mine, public=True)
        await open_room(mine, room)
        await open_room(theirs, room)
        await say(mine, "one")
        await expect(lines(theirs)).to_have_text(["one"])

        await admin.goto(f"/admin/connections?channel=chat:{room}")
        table = admin.get_by_role("table", name="Connections")
        await expect(table.get_by_role("row")).to_have_count(3)
        await admin.get_by_label("User").fill(friend)
        await expect(table.get_by_role("row")).to_have_count(2)
        await expect(table).to_contain_text(re.compile(rf"WebSocket.*chat:{room}"))
        await table.get_by_role("button", name="End a connection").click()
        await admin.get_by_role("dialog").get_by_role("button", name="End it").click()
        await expect(theirs.get_by_role("alert")).to_contain_text("An admin ended")
        await expect(admin.get_by_text("No connection matches")).to_be_visible()
        for text in ("two", "three"):
            await say(mine, text)
        await say(theirs, "four")
        await expect(theirs.get_by_label("On its way")).to_contain_text("Waiting for the conn")
        await expect(lines(mine)).to_have_text(["one", "two", "three"])
        await theirs.get_by_role("button", name="Connect again").click()

        for page in (theirs, mine):
            await expect(lines(page)).to_have_text(["one", "two", "three", "four"])
        await expect(theirs.get_by_label("On its way")).to_be_hidden()


async def test_a_room_comes_back_by_itself_when_the_network_does(
    console: Window, person: str, friend: str
) -> None:
    """In a train nobody should have to think of what was said in the tunnel, on either side."""
    async with console(person) as mine, console(friend, expected=("net::ERR_",)) as theirs:
        room = await make_room(mine, public=True)
        await open_room(mine, room)
        await open_room(theirs, room)
        await say(mine, "one")
        await expect(lines(theirs)).to_have_text(["one"])
        await theirs.context.set_offline(True)
        await expect(theirs.get_by_text("Offline", exact=True)).to_be_visible()
        await say(mine, "two")
        await say(theirs, "three")
        await expect(lines(mine)).to_have_text(["one", "two"])
        await expect(lines(theirs)).to_have_text(["one"])

        await theirs.context.set_offline(False)

        for page in (theirs, mine):
            await expect(lines(page)).to_have_text(["one", "two", "three"])


async def test_a_message_that_was_refused_is_sent_again(console: Window, person: str) -> None:
    """What somebody has written is theirs until it is said, or they throw it away."""
    refused: list[str] = []

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            frame = json.loads(message)
            if frame["type"] == "chat" and len(refused) < 2:
                refused.append(frame["message"])
                error = {"type": "error", "code": "rate_limited", "message": "Wait a moment."}
                socket.send(json.dumps(error))
            else:
                server.send(message)

        socket.on_message(pass_on)

    async with console(person) as page:
        await page.route_web_socket(re.compile("/ws/chat/"), between)
        room = await make_room(page)
        await open_room(page, room)
        await say(page, "first")
        await say(page, "second")
        await say(page, "third")
        await expect(lines(page)).to_have_text(["third"])
        waiting = page.get_by_label("On its way").get_by_role("listitem")
        await expect(waiting.first).to_contain_text(re.compile("first.*Wait a moment."))
        await waiting.last.get_by_role("button", name="Discard").click()
        await page.reload()  # what was not said is not forgotten
        await waiting.get_by_role("button", name="Send again").click()

        await expect(lines(page)).to_have_text(["third", "first"])
        await expect(page.get_by_label("On its way")).to_be_hidden()
        assert refused == ["first", "second"]


async def test_what_was_said_before_is_scrolled_to_and_nothing_jumps(
    console: Window, person: str, friend: str
) -> None:
    """Whoever reads something old is not torn away by what is new, but told of it."""
    async with console(person) as mine, console(friend) as theirs:
        room = await make_room(mine, public=True)
        texts = [f"Number {number} " + "long " * 40 for number in range(58)]
        await open_room(mine, room)
        await mine.evaluate(SAY, [room, texts])
        await open_room(theirs, room, at="Number 57 ")
        await expect(lines(theirs)).to_have_count(50)
        await expect(lines(theirs).last).to_be_in_viewport()
        talk = theirs.get_by_role("region", name="Messages in")
        await talk.focus()
        await theirs.keyboard.press("Home")
        await expect(lines(theirs)).to_have_count(58)
        await expect(lines(theirs).filter(has_text="Number 8 ")).to_be_in_viewport()

        for text in ("new one", "new two"):
            await say(mine, text)
        below = theirs.get_by_role("button", name="2 new messages")
        await expect(below).to_be_visible()
        await expect(lines(theirs).filter(has_text="Number 8 ")).to_be_in_viewport()
        await below.click()
        await expect(lines(theirs).last).to_be_in_viewport()
        await say(mine, "new three")
        await expect(lines(theirs).filter(has_text="new three")).to_be_in_viewport()
        await expect(below).to_be_hidden()
        assert await lines(theirs).count() == 61


async def test_an_admin_tells_one_user_or_everybody(
    console: Window, person: str, house_admin: Client
) -> None:
    """Before a maintenance everybody should know; about a mistake only who made it."""
    async with console(person) as page, console("admin") as admin:
        await page.goto("/account")
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        number = await id_of(house_admin, person)
        await admin.goto("/admin/announce")
        await admin.get_by_label("To", exact=True).select_option("One user")
        await admin.get_by_label("User's number").fill(str(number))
        await expect(admin.get_by_role("main")).to_contain_text(person)
        await admin.get_by_label("Title").fill("Your schedule is odd")
        await admin.get_by_role("button", name="Send").click()
        told = admin.get_by_role("main").get_by_text("They have been told.")
        await expect(told).to_be_visible()
        await expect(bell(page, 1)).to_be_visible()
        await admin.get_by_label("To", exact=True).select_option("Everybody")
        await admin.get_by_label("Title").fill("Maintenance at ten")
        await expect(told).to_be_hidden()
        await admin.get_by_label("Message").fill("All tasks wait.\nNothing is lost.")
        await admin.get_by_role("button", name="Send").click()

        await expect(bell(page, 2)).to_be_visible()
        await bell(page, 2).click()
        await inbox(page).get_by_role("button", name="Maintenance at ten").click()
        await expect(inbox(page)).to_contain_text("Nothing is lost.")
        await expect(bell(page, 1)).to_be_visible()
