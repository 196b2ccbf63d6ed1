"""The console's account page, and what every one of its pages must keep to."""

import re

import pytest
from playwright.async_api import Page, expect

from support.client import Client
from support.console import PLACES, Window, heading, make_room, order, order_batch
from support.system import ADMIN_PASSWORD, System
from support.waiting import wait_until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

# What a page's elements lack, as far as rules can tell without a person.
_LACKS = """() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (node) => node.checkVisibility();
  const ids = all("[id]").map((node) => node.id);
  const named = (node) => node.getAttribute("aria-label") || node.textContent.trim();
  return [
    ...all("input:not([aria-hidden]), select, textarea").filter(shown)
      .filter((node) => !node.labels?.length && !node.getAttribute("aria-label"))
      .map((node) => `no label: ${node.outerHTML}`),
    ...all("a, button, summary").filter((node) => shown(node) && !named(node))
      .map((node) => `no name: ${node.outerHTML}`),
    ...all("img:not([alt])").map((node) => `no alt: ${node.outerHTML}`),
    ...all("[role=progressbar]").filter((node) => !node.getAttribute("aria-label"))
      .map((node) => `no name: ${node.outerHTML}`),
    ...all("[style]").filter((node) => !node.classList.contains("bar-fill"))
      .map((node) => `inline style: ${node.outerHTML}`),
    ...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `id twice: ${id}`),
    ...(all("h1").length === 1 ? [] : [`headings of the first level: ${all("h1").length}`]),
    ...(all("main").length === 1 ? [] : [`main landmarks: ${all("main").length}`]),
    ...(document.documentElement.lang === "en" ? [] : ["no language"]),
  ];
}"""


async def test_faults_of_fields_stand_beside_the_fields(console: Window, person: str) -> None:
    """Who made a mistake is told where, by the browser's rules and by the server's alike."""
    async with console(person) as page:
        await page.goto("/reports/new")
        days, zone = page.get_by_label("Days", exact=True), page.get_by_label("Time zone")
        await days.fill("400")
        await zone.fill("Mars/Olympus")
        await page.get_by_role("button", name="Order the report").click()
        await expect(days).to_be_focused()
        await expect(days).to_have_accessible_description(re.compile("366"))

        await days.fill("20")
        await page.get_by_role("button", name="Order the report").click()

        await expect(zone).to_be_focused()
        await expect(zone).to_have_attribute("aria-invalid", "true")
        await expect(zone).to_have_accessible_description(re.compile("Unknown time zone"))


async def test_signing_out_ends_the_session(console: Window, person: str) -> None:
    """At a shared machine nothing is left for the next one."""
    async with console(person) as page:
        await page.goto("/account")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("main")).to_contain_text("You are signed out.")
        assert (await page.request.get("/api/v1/auth/me")).status == 401
        await page.goto("/account")
        await heading(page, "Sign in to Tasuki")


async def test_a_token_is_shown_once_works_and_is_deleted(
    console: Window, person: str, house: System
) -> None:
    """Programs get keys of their own, which can be taken back one by one."""
    async with console(person) as page:
        await page.goto("/account")
        await page.get_by_label("New token for").fill("nightly script")
        await page.get_by_role("button", name="Create").click()
        secret = page.get_by_label("Token nightly script", exact=True)
        token = await secret.input_value()
        headers = {"Authorization": f"Bearer {token}"}

        async with Client(base_url=house.url, headers=headers) as program:
            me = await program.get("/api/v1/auth/me")
            assert me.json()["username"] == person
            await page.reload()
            await expect(page.get_by_text(re.compile("(never|last) used"))).to_be_visible()
            await expect(secret).to_have_count(0)
            await page.get_by_role("button", name="Delete the token nightly script").click()
            await page.get_by_role("button", name="Delete the token", exact=True).click()

            async def is_refused() -> bool:
                return (await program.get("/api/v1/auth/me")).status_code == 401

            await wait_until(is_refused, within=10, what="the end of the token")


async def test_the_password_is_changed_and_other_browsers_are_signed_out(
    console: Window, person: str
) -> None:
    """Who fears that somebody else is signed in can end that."""
    async with console(person) as other, console(person) as page:
        await other.goto("/")
        await heading(other, "My tasks")
        await page.goto("/account")
        await page.get_by_label("Present password").fill("not this one")
        await page.get_by_label("New password", exact=True).fill("a new, longer one")
        await page.get_by_label("New password again").fill("a new, other one")
        change = page.get_by_role("button", name="Change the password")
        await change.click()
        again = page.get_by_label("New password again")
        await expect(again).to_have_accessible_description("The two are not the same.")
        await again.fill("a new, longer one")
        await change.click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await page.get_by_label("Present password").fill(ADMIN_PASSWORD)
        await change.click()

        await expect(page.get_by_role("main")).to_contain_text("The password is changed.")
        await expect(other.get_by_role("main")).to_contain_text("Your session has ended")


async def pages_of(page: Page, username: str | None) -> list[str]:
    """Return the addresses of all pages, with something to see on each."""
    if username is None:
        return ["/"]
    task_id = await order(page, "console.say", lines=["a line"], fail="broken")
    batch_id = await order_batch(page, "console.say", [{"lines": []}] * 3)
    own = ["/", f"/tasks/{task_id}", f"/batches/{batch_id}", "/reports/new", "/account"]
    own += [
        "/exports",
        "/mail",
        "/mail/new",
        "/mail/sendings",
        "/mail/sendings/new",
        "/notifications",
        "/chat",
        f"/chat/{await make_room(page)}",
    ]
    operators = [f"/admin/{name}" for name in PLACES]
    return own + operators if username == "admin" else [*own, operators[0]]


# What fits depends on the width and what can be read on the colours: two rounds show both.
@pytest.mark.parametrize(("width", "dark"), [(360, True), (1280, False)], ids=["phone", "desk"])
async def test_every_page_fits_and_is_labelled(
    console: Window, person: str, width: int, *, dark: bool
) -> None:
    """No sideways scrolling on a small phone; names and labels for those who listen."""
    for username in (None, person, "admin"):
        async with console(username, width=width, dark=dark) as page:
            for path in await pages_of(page, username):
                await page.goto(path)
                await expect(page.get_by_role("heading", level=1)).to_be_visible()
                await expect(page.get_by_text("Loading…")).to_have_count(0)
                overhang = await page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                assert overhang <= 0, path
                assert await page.evaluate(_LACKS) == []


async def test_the_chosen_colours_outlast_a_reload(console: Window) -> None:
    """Whoever prefers the dark does not want to be dazzled at every visit."""
    async with console() as page:
        await page.goto("/")
        paper = "getComputedStyle(document.documentElement).backgroundColor"
        light = await page.evaluate(paper)
        await page.get_by_role("button", name="System colours").click()
        await page.get_by_role("button", name="Light colours").click()
        await page.reload()

        await expect(page.get_by_role("button", name="Dark colours")).to_be_visible()
        assert await page.evaluate(paper) != light


async def test_an_answer_that_breaks_off_is_told(console: Window, person: str) -> None:
    """As one that never begins: the page says so, and does not stay half empty without a word."""
    async with console(person) as page:
        cut = re.compile(r"/api/v1/exports$")
        await page.route(cut, lambda route: route.fulfill(status=200, body='{"items": ['))
        await page.goto("/exports")
        await expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")


async def test_the_skip_link_leads_past_the_navigation(console: Window, person: str) -> None:
    """Who moves by Tab need not pass every link of the navigation on every page."""
    async with console(person) as page:
        await page.goto("/account")
        await heading(page, "Account")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")

        await expect(page.get_by_role("button", name="Send a link to")).to_be_focused()
        await page.go_back()
        await heading(page, "Account")
