"""What every mail system behind the port does, in memory and over real SMTP."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from email.message import EmailMessage

import pytest

from support.mail import message
from support.smtp import LOST, smtp_sink
from tasuki.mail.errors import MailDeferred, MailRejected, MailUnknown, MailUnreachable
from tasuki.mail.memory import MemoryTransport
from tasuki.mail.settings import MailSettings
from tasuki.mail.smtp import SmtpTransport
from tasuki.mail.transport import Transport

FAULTS: dict[str, Exception] = {
    "deferred": MailDeferred("450 later"),
    "rejected": MailRejected("554 no"),
    "no mailbox": MailRejected("550 nobody", is_address_fault=True),
    "unreachable": MailUnreachable("421 busy"),
    "unknown": MailUnknown("silence"),
}
SCRIPTS = {
    "deferred": ("RCPT", "450 later"),
    "rejected": ("dot", "554 5.7.1 spam"),
    "no mailbox": ("RCPT", "550 5.1.1 nobody"),
    "unreachable": ("connect", "421 busy"),
    "unknown": ("dot", LOST),
}


@dataclass
class System:
    """A mail system, and the transport to it."""

    transport: Transport
    break_with: Callable[[str], None]
    taken: Callable[[], list[EmailMessage]]


@pytest.fixture(params=["memory", "smtp"])
async def system(request: pytest.FixtureRequest) -> AsyncGenerator[System]:
    """Each adapter."""
    if request.param == "memory":
        broken: list[Exception] = []
        memory = MemoryTransport(lambda _: broken[0] if broken else None)

        def break_memory(how: str) -> None:
            broken[:] = [FAULTS[how]]

        yield System(memory, break_memory, lambda: memory.taken)
        return
    async with smtp_sink() as sink:
        transport = SmtpTransport(MailSettings(host="127.0.0.1", port=sink.port, tls="none"))

        def break_sink(how: str) -> None:
            stage, what = SCRIPTS[how]
            sink.script[stage] = what

        yield System(transport, break_sink, lambda: sink.taken)
        await transport.close()


async def test_a_message_arrives_as_it_was_made(system: System) -> None:
    """With its words in any language, in both forms."""
    await system.transport.send(message())

    [taken] = system.taken()
    assert taken["Subject"] == "本が届きました"
    assert taken["To"].addresses[0].addr_spec == "reader@example.org"
    assert taken["Auto-Submitted"] == "auto-generated"
    body = taken.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "Come & see"


@pytest.mark.parametrize("how", FAULTS)
async def test_each_fault_is_told_by_what_it_means(system: System, how: str) -> None:
    """Whoever sends decides by that whether to try again."""
    system.break_with(how)

    with pytest.raises(type(FAULTS[how])) as told:
        await system.transport.send(message())

    if isinstance(told.value, MailRejected):
        assert told.value.is_address_fault is (how == "no mailbox")


async def test_it_says_whether_it_can_be_talked_to(system: System) -> None:
    """Before the first message, and without one."""
    assert (await system.transport.check()).startswith("2")
    assert system.taken() == []
