"""What we send is read as it was meant, by the programs that read mail.

Each message goes over a real connection; what arrived is given to Python's `email` and to npm's
`mailparser` and `postal-mime`.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_string, policy
from email.message import EmailMessage
from typing import Any

import pytest
import pytest_asyncio

from support.node import install_packages, run_node
from support.smtp import smtp_sink
from tasuki.mail.addresses import check_address, check_sender
from tasuki.mail.message import Letter, message_id
from tasuki.mail.settings import MailSettings
from tasuki.mail.smtp import SmtpTransport

pytestmark = pytest.mark.asyncio(loop_scope="module")

PACKAGES = ("mailparser@3.14.2", "postal-mime@4.0.0")
AT = datetime(2026, 11, 24, 19, 30, tzinfo=UTC)
_EACH_FILE = """
const fs = require("fs");
const folder = process.argv[1];
const one = ({ address, name }) => [name, address];
const read = (name) => parse(fs.readFileSync(`${folder}/${name}`));
const names = fs.readdirSync(folder).sort();
Promise.all(names.map(read)).then((all) => process.stdout.write(JSON.stringify(all)));
"""
NODE = {
    "mailparser": """
const { simpleParser } = require("mailparser");
async function parse(bytes) {
  const found = await simpleParser(bytes, { skipTextToHtml: true, skipHtmlToText: true });
  const { from, to, subject, date, messageId: id, text = null, headers } = found;
  const list = headers.get("list");
  return {
    subject, id, text, html: found.html || null, date: date.toISOString(),
    from: one(from.value[0]), to: one(to.value[0]),
    unsubscribe: list?.unsubscribe?.url ?? null,
    click: list?.["unsubscribe-post"]?.name ?? null,
  };
}
""",
    "postal-mime": """
const PostalMime = require("postal-mime");
async function parse(bytes) {
  const found = await (PostalMime.default ?? PostalMime).parse(bytes);
  const { subject, from, to, date, messageId: id, text = null, html = null } = found;
  const header = (name) => found.headers.find(({ key }) => key === name)?.value ?? null;
  return {
    subject, id, text, html, date, from: one(from), to: one(to[0]),
    unsubscribe: header("list-unsubscribe")?.slice(1, -1) ?? null,
    click: header("list-unsubscribe-post"),
  };
}
""",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A message as somebody means it."""

    subject: str = "Hello"
    html: str | None = None
    text: str | None = "Hello\n"
    sender: str = "Tasuki <tasuki@example.org>"
    to: str = "reader@example.org"
    headers: dict[str, str] = field(default_factory=dict)


LINK = f"https://tasks.example.org/unsubscribe/{'t0k3n' * 60}"
CASES = {
    "text only": Case(),
    "HTML and text": Case(html="<p>Come &amp; see</p>\n", text="Come & see\n"),
    "Japanese": Case(
        subject="ご注文の本が届きました。" * 12,
        sender="町の図書館 (受付) <books@example.org>",
        html="<p>貸出期間は二週間です</p>\n",
        text="貸出期間は二週間です。\n" * 40,
    ),
    "long lines": Case(
        subject=" ".join(["word"] * 90),
        html=f"<p>{'x' * 5_000}</p>\n",
        text="y" * 5_000 + "\nend\n",
    ),
    "emoji": Case(
        subject="👩‍👩‍👧‍👦 are here 🇯🇵", text="✅ done 👍🏽\n", html="<p>✅ done 👍🏽</p>\n"
    ),
    "right to left": Case(
        subject="الكتاب וְהַסֵּפֶר \u202bhere\u202c", sender="מערכת <a@example.org>", text="שלום עולם\n"
    ),
    "a lone CR": Case(text="one\rtwo\n", html="<p>one\rtwo</p>\n"),
    "dots": Case(text=".\n..\n.hidden\nQUIT\n.\n\nafter\n", html="<p>\n.\n</p>\n"),
    "From at a line's start": Case(text="From here on\n>From there\n"),
    "spaces at the end": Case(text="a  \n\t\nb=3D = c\n\n\n"),
    "looks encoded": Case(text="=?utf-8?q?no?= =41\n", subject="100% =41 done? =?"),
    "an address that is not ASCII": Case(to="用户@例え.jp", subject="本"),
    "a name with signs": Case(sender='"Books, \\"old\\" & <new>" <books@example.org>'),
    "List-Unsubscribe": Case(
        headers={
            "List-Unsubscribe": f"<{LINK}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    ),
}


def _python(content: bytes) -> dict[str, Any]:
    # Headers may be UTF-8 (RFC 6532), which Python takes from text, not from bytes.
    message = message_from_string(content.decode(), EmailMessage, policy=policy.default)
    assert not message.defects
    found: dict[str, Any] = {
        "subject": message["Subject"],
        "id": message["Message-ID"],
        "date": message["Date"].datetime.isoformat(),
        "click": message["List-Unsubscribe-Post"],
        "unsubscribe": (message["List-Unsubscribe"] or "")[1:-1] or None,
    }
    for name in ("from", "to"):
        [address] = message[name].addresses
        found[name] = [address.display_name, address.addr_spec]
    for name, kind in (("text", "plain"), ("html", "html")):
        part = message.get_body((kind,))
        found[name] = None if part is None else part.get_content()
    return found


def _same_ends(found: dict[str, Any]) -> dict[str, Any]:
    """Return it with line ends, dates and domains in the form that all have in common."""
    bodies = {name: found[name] and _lines(found[name]) for name in ("text", "html")}
    name, address = found["to"]
    to = [name, check_address(address).addr_spec]  # a domain as people or as DNS write it
    return {**found, **bodies, "to": to, "date": datetime.fromisoformat(found["date"])}


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip("\n")


def _wanted(name: str) -> dict[str, Any]:
    case = CASES[name]
    sender, to = check_sender(case.sender), check_address(case.to)
    bodies = {"text": case.text, "html": case.html}
    return {
        "subject": case.subject,
        "from": [sender.display_name, sender.addr_spec],
        "to": ["", to.addr_spec],
        "id": message_id(name, sender.domain),
        "date": AT,
        "unsubscribe": case.headers.get("List-Unsubscribe", "<>")[1:-1] or None,
        "click": case.headers.get("List-Unsubscribe-Post"),
        **{kind: body and _lines(body.replace("\r", "\n")) for kind, body in bodies.items()},
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def arrived() -> dict[str, bytes]:
    """Each message as it arrived."""
    async with smtp_sink() as sink:
        transport = SmtpTransport(MailSettings(host="127.0.0.1", port=sink.port, tls="none"))
        for name, case in CASES.items():
            letter = Letter(case.subject, case.html, case.text, sender=check_sender(case.sender))
            to = check_address(case.to)
            await transport.send(letter.to(to, key=name, at=AT, headers=case.headers))
        await transport.close()
    return dict(zip(CASES, sink.contents, strict=True))


@pytest.fixture(scope="module")
def read(
    arrived: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, dict[str, Any]]]:
    """What each reader makes of each message; a reader is started once."""
    mails, modules = tmp_path_factory.mktemp("mails"), tmp_path_factory.mktemp("modules")
    install_packages(modules, PACKAGES)
    for number, content in enumerate(arrived.values()):
        (mails / f"{number:03}.eml").write_bytes(content)
    found = {"Python's email": [_python(content) for content in arrived.values()]}
    for name, script in NODE.items():
        found[name] = json.loads(run_node(script + _EACH_FILE, mails, folder=modules))
    return {name: dict(zip(CASES, all_of_it, strict=True)) for name, all_of_it in found.items()}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("reader", ["Python's email", *NODE])
async def test_a_mail_is_read_as_it_was_meant(
    read: dict[str, dict[str, dict[str, Any]]], reader: str, case: str
) -> None:
    """Letters, line ends, names and links, whichever program its receiver has."""
    assert _same_ends(read[reader][case]) == _wanted(case)


@pytest.mark.parametrize("case", CASES)
async def test_what_arrives_is_within_the_limits_of_mail(
    arrived: dict[str, bytes], case: str
) -> None:
    """No line of more than 998 bytes and no lone CR or LF: relays break or refuse those."""
    lines = arrived[case].split(b"\r\n")

    assert max(len(line) for line in lines) <= 998
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert arrived[case].isascii() or not CASES[case].to.isascii()
