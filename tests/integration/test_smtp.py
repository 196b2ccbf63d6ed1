"""SMTP, stage by stage: what each answer, each silence and each broken connection means."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from support.live import Live
from support.mail import message
from support.smtp import LOST, RESET, SILENT, Sink, smtp_sink
from support.tls import Authority
from support.waiting import until
from tasuki.core.errors import TasukiError
from tasuki.mail.errors import MailDeferred, MailRejected, MailUnknown, MailUnreachable
from tasuki.mail.message import message_id
from tasuki.mail.settings import MailSettings
from tasuki.mail.smtp import SmtpTransport

OURS, LATER, NEVER, UNKNOWN = MailUnreachable, MailDeferred, MailRejected, MailUnknown
STAGES: dict[tuple[str, str], type[TasukiError]] = {
    ("connect", "421 busy"): OURS,
    ("connect", "554 not you"): OURS,
    ("connect", RESET): OURS,
    ("connect", SILENT): OURS,
    ("EHLO", RESET): OURS,
    ("EHLO", SILENT): OURS,
    ("MAIL", "451 later"): LATER,
    ("MAIL", "550 5.7.1 not from you"): NEVER,
    ("MAIL", RESET): LATER,
    ("MAIL", SILENT): LATER,
    ("RCPT", "450 4.2.0 greylisted"): LATER,
    ("RCPT", "421 too busy"): LATER,
    ("RCPT", "550 5.1.1 no such mailbox"): NEVER,
    ("RCPT", "550 5.7.1 not for you"): NEVER,
    ("RCPT", "552 mailbox full"): NEVER,
    ("RCPT", RESET): LATER,
    ("RCPT", SILENT): LATER,
    ("DATA", "451 later"): LATER,
    ("DATA", "554 no"): NEVER,
    ("DATA", RESET): LATER,
    ("DATA", SILENT): LATER,
    ("dot", "452 later"): LATER,
    ("dot", "554 5.6.0 spam"): NEVER,
    ("dot", RESET): UNKNOWN,
    ("dot", SILENT): UNKNOWN,
    ("dot", LOST): UNKNOWN,
}
ADDRESS_FAULTS = {("RCPT", "550 5.1.1 no such mailbox")}


def settings(sink: Sink, **more: object) -> MailSettings:
    """Return settings for a sink."""
    given = {"host": "127.0.0.1", "port": sink.port, "tls": "none", "timeout_s": 0.5, **more}
    return MailSettings.model_validate(given)


@pytest.mark.parametrize(("stage", "what"), STAGES, ids=lambda text: text.replace(" ", "_"))
async def test_each_stage_says_whether_to_try_again(stage: str, what: str) -> None:
    """Only after the last dot is there anything that nobody can know (RFC 1047)."""
    async with smtp_sink() as sink:
        transport = SmtpTransport(settings(sink))
        sink.script[stage] = [what, what]

        with pytest.raises(STAGES[stage, what]) as told:
            await transport.send(message())

        assert len(sink.taken) == (1 if what == LOST else 0)
        if isinstance(told.value, MailRejected):
            assert told.value.is_address_fault is ((stage, what) in ADDRESS_FAULTS)
        sink.script.clear()
        await transport.send(message(key="next"))
        await transport.close()
    assert sink.taken[-1]["Message-ID"] == message_id("next", "example.org")


async def test_one_connection_carries_many_messages() -> None:
    """Connecting takes longer than sending."""
    async with smtp_sink() as sink:
        transport = SmtpTransport(settings(sink))
        for number in range(5):
            await transport.send(message(f"reader{number}@example.org"))
        await transport.close()

    assert sink.connections == 1
    assert sink.recipients == [f"reader{number}@example.org" for number in range(5)]


@pytest.mark.parametrize("said", [RESET, "421 4.7.0 too many over this one"])
async def test_a_connection_that_was_closed_meanwhile_costs_no_message(said: str) -> None:
    """Servers hang up on the idle; nothing was taken, so the message simply begins anew."""
    async with smtp_sink() as sink:
        transport = SmtpTransport(settings(sink))
        await transport.send(message("one@example.org"))
        sink.script["MAIL"] = [said]
        await transport.send(message("two@example.org"))
        await transport.close()

    assert sink.connections == 2
    assert sink.recipients == ["one@example.org", "two@example.org"]


async def test_a_connection_that_is_idle_is_ended_with_a_goodbye() -> None:
    """A mail system that is left without a word holds a place for minutes, and logs a fault."""
    async with smtp_sink() as sink:
        transport = SmtpTransport(settings(sink), idle_s=0.05)
        await transport.send(message("one@example.org"))
        await until(lambda: sink.seen["QUIT"] == 1, within=5, what="the goodbye")
        await transport.send(message("two@example.org"))
        await transport.close()

    assert (sink.connections, sink.seen["QUIT"]) == (2, 2)
    assert sink.recipients == ["one@example.org", "two@example.org"]


async def test_any_answer_of_its_class_says_that_a_message_was_taken() -> None:
    """By the first digit alone (RFC 5321, 4.3.2); sending again would make a double."""
    async with smtp_sink() as sink:
        transport = SmtpTransport(settings(sink))
        sink.script["dot"] = ["252 2.0.0 taken, in our way"]

        assert (await transport.send(message())).startswith("252")
        await transport.close()


async def test_a_broken_setting_of_ours_is_no_fault_of_a_message(tmp_path: Path) -> None:
    """Who may vouch is not there: an operator mends it, and then the message goes."""
    async with smtp_sink() as sink:
        missing = settings(sink, tls="starttls", ca_file=tmp_path / "missing.pem")

        with pytest.raises(MailUnreachable, match="No such file"):
            await SmtpTransport(missing).send(message())


async def test_as_many_connections_as_allowed_work_at_once() -> None:
    """And no more: mail systems count them."""
    async with smtp_sink() as sink:
        transport = SmtpTransport(settings(sink, connections=3, timeout_s=10))
        await asyncio.gather(*(transport.send(message(f"r{n}@example.org")) for n in range(30)))
        await transport.close()

    assert sink.connections == 3
    assert len(sink.taken) == 30


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
async def test_tls_is_what_was_asked_for_and_verified(tmp_path: Path, implicit: bool) -> None:
    """An unknown certificate, or none, ends it before a password is said."""
    ours, foreign = Authority(tmp_path / "ours"), Authority(tmp_path / "foreign")
    tls = "implicit" if implicit else "starttls"
    user = ("tasuki", "correct horse")
    login = {"username": user[0], "password": SecretStr(user[1]), "tls": tls, "timeout_s": 5}
    async with smtp_sink(tls=ours.server("localhost"), implicit=implicit, user=user) as sink:
        known = {**login, "host": "localhost", "ca_file": ours.file}
        transport = SmtpTransport(settings(sink, **known))
        await transport.send(message())
        await transport.close()
        for wrong in (
            {**known, "ca_file": foreign.file},
            {**known, "password": SecretStr("wrong")},
        ):
            with pytest.raises(MailUnreachable) as told:
                await SmtpTransport(settings(sink, **wrong)).send(message())
            assert "horse" not in str(told.value)
            assert "wrong" not in str(told.value)
    assert len(sink.taken) == 1


async def test_a_server_without_tls_gets_nothing_where_tls_was_asked_for() -> None:
    """It may be somebody in between who hides it."""
    async with smtp_sink() as sink:
        with pytest.raises(MailUnreachable):
            await SmtpTransport(settings(sink, tls="starttls")).send(message())
    assert sink.taken == []


@pytest.mark.parametrize("is_ascii", [True, False])
async def test_an_address_beyond_ascii_needs_a_mail_system_that_knows_it(is_ascii: bool) -> None:
    """Where it does not, that is said, and is no fault of the address."""
    async with smtp_sink(is_ascii=is_ascii) as sink:
        transport = SmtpTransport(settings(sink))
        if is_ascii:
            with pytest.raises(MailRejected, match="SMTPUTF8") as told:
                await transport.send(message("本@example.org"))
            assert not told.value.is_address_fault
        else:
            await transport.send(message("本@example.org"))
        await transport.send(message(key="next"))
        await transport.close()

    assert sink.recipients == (["本@example.org"] * (not is_ascii)) + ["reader@example.org"]


def test_mail_without_tls_stays_on_this_machine() -> None:
    """It would be read along the way."""
    with pytest.raises(ValidationError, match="this machine only"):
        MailSettings(host="mail.example.org", tls="none")


async def test_the_command_line_tries_the_mail_system(live: Live) -> None:
    """Before anybody waits for a mail that never comes."""
    async with smtp_sink() as sink:
        env = {
            "TASUKI_MAIL__HOST": "127.0.0.1",
            "TASUKI_MAIL__PORT": str(sink.port),
            "TASUKI_MAIL__TLS": "none",
            "TASUKI_MAIL__FROM": "図書館 <library@example.org>",
        }
        said = await live.command("mail", "test", "reader@example.org", env=env)
        examined = await live.command("doctor", env=env)
        await live.command("mail", "test", "no address", env=env, code=1)
        sink.script["RCPT"] = "550 5.1.1 nobody"
        await live.command("mail", "test", "reader@example.org", env=env, code=1)

    assert "The mail system says: 250 2.0.0 taken" in said
    assert f"127.0.0.1:{sink.port} says 250" in examined
    [taken] = sink.taken
    assert taken["From"].addresses[0].display_name == "図書館"
