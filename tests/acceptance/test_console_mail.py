"""Mail in the console, by way of a real mail system that does what a test says."""

import re
from collections.abc import AsyncGenerator, Mapping
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import FilePayload, Locator, Page, expect

from support.client import Client
from support.console import Window, heading
from support.smtp import Sink, smtp_sink
from support.waiting import until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sink() -> AsyncGenerator[Sink]:
    """The mail system of this module."""
    async with smtp_sink() as running:
        yield running


@pytest.fixture(scope="module")
def house_env(sink: Sink) -> Mapping[str, str]:
    """Send there."""
    return {
        "TASUKI_MAIL__HOST": "127.0.0.1",
        "TASUKI_MAIL__PORT": str(sink.port),
        "TASUKI_MAIL__TLS": "none",
        "TASUKI_MAIL__FROM": "Tasuki <tasuki@example.org>",
    }


def row(page: Page, text: str) -> Locator:
    """Return the line of a table that has a text in it."""
    return page.get_by_role("row").filter(has_text=text)


async def write(page: Page, to: str, subject: str) -> None:
    """Fill the form of a mail but for its words."""
    await page.goto("/mail/new")
    await page.get_by_label("To", exact=True).fill(to)
    await page.get_by_label("Subject").fill(subject)


async def test_a_mail_is_written_and_seen_sent(console: Window, sink: Sink) -> None:
    """On both lanes the page says what became of it, and what the mail system answered."""
    async with console("admin") as page:
        await write(page, "reader@example.org", "本が届きました")
        await page.get_by_label("Text", exact=True).fill("It is here.\n")
        await page.get_by_role("button", name="Send", exact=True).click()
        outcome = page.get_by_label("The mail you sent")
        await expect(outcome).to_contain_text("Sent")
        await expect(outcome).to_contain_text("250 2.0.0 taken")

        await write(page, "other@example.org", "In colours")
        await page.get_by_label("HTML, by a worker").check()
        styled = '<p style="color: rgb(1, 2, 3)">Come &amp; see</p>'
        await page.get_by_label("HTML", exact=True).fill(styled)
        preview = page.frame_locator(".mail-preview").frame_locator("iframe")
        await expect(preview.get_by_text("Come & see")).to_have_css("color", "rgb(1, 2, 3)")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(outcome).to_contain_text(re.compile("other@example.org.*Sent"))

        await page.goto("/mail")
        first, second = row(page, "In colours"), row(page, "本が届きました")
        await expect(second).to_contain_text("250 2.0.0 taken")
        await first.get_by_role("link", name="its task").click()
        await heading(page, "A mail")

    assert [str(mail["subject"]) for mail in sink.taken[-2:]] == ["本が届きました", "In colours"]


async def test_a_template_is_chosen_by_name_and_seen_before_it_is_sent(
    console: Window, sink: Sink
) -> None:
    """To one and to many; what a template wants besides stands beside its name."""
    async with console("admin") as page:
        preview = page.frame_locator(".mail-preview").frame_locator("iframe")
        template = page.get_by_label("Template")
        await write(page, "formed@example.org", "In a form")
        await page.get_by_label("Text", exact=True).fill("One <b>\n\nTwo")
        await template.select_option("message")
        await expect(preview.get_by_role("heading", name="In a form")).to_be_visible()
        await page.get_by_label("Text", exact=True).fill("Three")
        await expect(preview.get_by_text("Three")).to_be_visible()
        wants = template.get_by_role("option", name="verify (wants hours, link, name)")
        await expect(wants).to_be_disabled()
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.get_by_label("The mail you sent")).to_contain_text("Sent")

        await page.goto("/mail/sendings/new")
        await page.get_by_label("Addresses, one a line").fill("many@example.org")
        await page.get_by_label("Subject").fill("A form for many")
        await template.select_option("message")
        await page.get_by_label("Text", exact=True).fill("To each & all")
        await expect(preview.get_by_text("To each & all")).to_be_visible()
        await page.get_by_role("button", name="Send to all of them…").click()
        await page.get_by_role("button", name="Send 1 mail").click()
        await heading(page, "A form for many")
        await expect(counter(page, "Sent")).to_have_text("1")

    one, many = (forms(mail) for mail in sink.taken[-2:])
    assert (one["plain"].strip(), "Three</p>" in one["html"]) == ("Three", True)
    assert many["plain"].strip() == "To each & all"
    assert "To each &amp; all</p>" in many["html"]


def forms(mail: EmailMessage) -> dict[str, str]:
    """Return the parts of a mail by kind."""
    bodies = {kind: mail.get_body((kind,)) for kind in ("plain", "html")}
    return {kind: body.get_content() for kind, body in bodies.items() if body is not None}


async def test_the_list_shows_by_itself_what_the_mail_system_puts_off(
    console: Window, house_admin: Client, sink: Sink
) -> None:
    """Who keeps the page open needs no reload to learn that a mail waits, why, and until when."""
    await house_admin.new_user("writer", scopes=("email:any",))
    sink.script["RCPT"] = ["450 4.2.0 come back later"]
    async with console("writer") as page:
        await page.goto("/mail")
        await expect(page.get_by_text("No mail yet")).to_be_visible()
        words = {"to_email": "grey@example.org", "subject": "Later", "content": "Patience."}
        await page.request.post("/api/v1/tasks/send-email/", data=words)
        line = row(page, "grey@example.org")
        await expect(line).to_contain_text(
            re.compile(r"Deferred.*450 4\.2\.0 come back later.*1 attempt · again")
        )


async def test_who_has_no_right_is_led_to_the_own_address(
    console: Window, house_admin: Client
) -> None:
    """The form offers what will be taken, and says at the field why it was not."""
    await house_admin.new_user("modest")
    async with console("modest") as page:
        await page.goto("/mail/new")
        to = page.get_by_label("To", exact=True)
        await expect(to).to_have_value("modest@example.org")
        await expect(to).not_to_be_editable()
        await page.get_by_label("Subject").fill("To myself")
        await page.get_by_label("Text", exact=True).fill("Do not forget.")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(to).to_be_focused()
        await expect(to).to_have_accessible_description(re.compile("once it is verified"))
        await page.get_by_role("link", name="verify it on your account's page").click()
        await heading(page, "Account")


async def test_who_wishes_is_told_by_mail(
    console: Window, house_admin: Client, sink: Sink
) -> None:
    """The forms offer it where there is a verified address; the mail leads to the task."""
    user_id = await house_admin.new_user("waiting")
    async with console("waiting") as page:
        await page.goto("/reports/new")
        await heading(page, "Order a report")
        await expect(page.get_by_label("Language")).to_be_visible()
        await expect(page.get_by_label("Mail me")).to_have_count(0)

        await house_admin.patch(f"/api/v1/users/{user_id}", json={"email_verified": True})
        await page.reload()
        await page.get_by_label("Mail me when it is done").check()
        await page.get_by_role("button", name="Order the report").click()
        await heading(page, "Activity report")
        report = page.url
        await expect(page.get_by_role("link", name="once it has ended")).to_be_visible()
        await expect(page.get_by_text("Part of")).to_have_count(0)

        await page.goto("/exports?dataset=tasks")
        await page.get_by_label("Mail me when it is prepared as a task").check()
        await page.get_by_role("button", name="Prepare as a task").click()
        link = page.get_by_label("Prepared as a task").get_by_role("link", name="Export of tasks")
        export = await link.get_attribute("href")
        await until(lambda: len(told(sink)) == 2, within=30, what="both mails")

    mails = told(sink)
    assert report in mails["Your report is ready"]
    assert f"{export}>" in mails["Your export is ready: tasks"]


def told(sink: Sink) -> dict[str, str]:
    """Return the text of each mail to who waits, by subject."""
    found = {}
    for mail in sink.taken:
        body = mail.get_body(("plain",))
        if mail["To"] == "waiting@example.org" and body is not None:
            found[str(mail["Subject"])] = body.get_content()
    return found


async def test_nobody_writes_to_a_suppressed_address(console: Window, sink: Sink) -> None:
    """An admin puts an address on the list, sees what that does, and takes it off again."""
    async with console("admin") as page:
        await page.goto("/admin/suppressions")
        address = page.get_by_label("Address", exact=True)
        await address.fill("nobody")
        await page.get_by_role("button", name="Write to it no more").click()
        await expect(page.get_by_role("alert")).to_contain_text("no mail address")
        await address.fill("Gone@example.org")
        await page.get_by_label("Why (optional)").fill("asked by phone")
        await page.get_by_role("button", name="Write to it no more").click()
        listed = page.get_by_role("table", name="Suppressed addresses")
        await expect(listed).to_contain_text("asked by phone")

        await write(page, "gone@example.org", "Are you there?")
        await page.get_by_label("Text", exact=True).fill("?")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.get_by_label("The mail you sent")).to_contain_text("Suppressed")
        assert "gone@example.org" not in sink.recipients

        await page.goto("/admin/suppressions?starts_with=go")
        await page.get_by_role("button", name="Write to Gone@example.org again").click()
        await page.get_by_role("button", name="Write to it again").click()
        await expect(page.get_by_text("No address begins so")).to_be_visible()


def counter(page: Page, name: str) -> Locator:
    """Return the number of a sending's recipients in a state."""
    return page.locator(".counters > div").filter(has_text=name).locator("dd")


def table_of(count: int, *, faulty_line: int) -> bytes:
    """Return a file with addresses in its second column, as a spreadsheet saves it."""
    people = [f'"Reader, {n}";reader{n}@example.org' for n in range(count)]
    people.insert(faulty_line - 1, "Nobody;nobody at example.org")
    return "\r\n".join(["Name;Mail", *people, ""]).encode("utf-8-sig")


async def order_sending(page: Page, subject: str) -> None:
    """Fill the form from a file with a fault, leave the fault out, and order."""
    await page.goto("/mail/sendings/new")
    content = table_of(120, faulty_line=58)
    file: FilePayload = {"name": "people.csv", "mimeType": "text/csv", "buffer": content}
    await page.get_by_label("Load from a file…").set_input_files(file)
    await expect(page.get_by_label("Column of people.csv")).to_have_value("1")
    await expect(page.get_by_text("121 addresses")).to_be_visible()
    await page.get_by_label("Subject").fill(subject)
    await page.get_by_label("HTML", exact=True).fill("<h1 style='color: teal'>News</h1>")
    await page.get_by_role("button", name="Send to all of them…").click()
    await page.get_by_role("button", name="Send 121 mails").click()
    refused = page.get_by_role("alert")
    await expect(refused).to_contain_text(re.compile("line 58.*nobody at example.org.*@-sign"))
    await page.get_by_role("button", name="Leave it out").click()
    await expect(page.get_by_role("dialog")).to_contain_text("1 are left out")
    await page.get_by_role("button", name="Send 120 mails").click()
    await heading(page, subject)


async def test_a_sending_is_watched_paused_and_goes_on_to_its_end(
    console: Window, sink: Sink
) -> None:
    """From a file with a faulty line to the last recipient: nobody is written to twice."""
    sink.script["RCPT"] = ["550 5.1.1 no such mailbox"]
    before = len(sink.recipients)
    sink.hold_at = before + 30
    async with console("admin") as page:
        await order_sending(page, "To all readers")
        await expect(counter(page, "Sent")).not_to_have_text("0")
        await page.get_by_role("button", name="Pause").click()
        await expect(page.get_by_text("nothing more begins")).to_be_visible()
        sink.go_on()
        await expect(counter(page, "Sending")).to_have_text("0")
        assert len(sink.recipients) - before < 119
        await page.get_by_role("button", name="Go on").click()
        await expect(
            page.locator(".hero-top .badge").filter(has_text="Over, not all sent")
        ).to_be_visible()
        await expect(counter(page, "Sent")).to_have_text("119")
        await expect(page.get_by_role("button", name="Pause")).to_be_hidden()

        await page.get_by_role("combobox", name="State").select_option("failed")
        recipients = page.get_by_role("table", name="Recipients")
        await expect(recipients.get_by_role("row")).to_have_count(2)
        await expect(recipients).to_contain_text("550 5.1.1 no such mailbox")
        await page.goto("/mail/sendings")
        await expect(row(page, "To all readers")).to_contain_text("119 of 120 sent")
        await page.goto("/mail?many=1")
        await expect(row(page, "one of many").first).to_contain_text("To all readers")

    written_to = sink.recipients[before:]
    assert len(written_to) == len(set(written_to)) == 119


async def test_who_got_one_of_many_unsubscribes_without_an_account(
    console: Window, sink: Sink
) -> None:
    """The link asks first, since programs open links too; then the address is on the list."""
    async with console("admin") as page:
        order = {
            "email_list": ["tired@example.org"],
            "subject": "News",
            "html_content": "<p>Again.</p>",
        }
        await page.request.post("/api/v1/tasks/send-bulk-email/", data=order)
        await until(lambda: "tired@example.org" in sink.recipients, within=15)
        link = urlsplit(sink.taken[-1]["List-Unsubscribe"].strip("<>"))
        await page.context.clear_cookies()
        await page.goto(link.path)
        await page.get_by_role("button", name="Unsubscribe").click()
        await heading(page, "You are unsubscribed")
    async with console("admin") as page:
        await page.goto("/admin/suppressions?starts_with=tired")
        await expect(row(page, "tired@example.org")).to_contain_text("Unsubscribed")
