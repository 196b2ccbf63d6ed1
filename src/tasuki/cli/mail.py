"""`tasuki mail`: the mail system, and what is sent through it."""

import asyncio
from typing import Annotated

import typer

from tasuki.cli import suppressions
from tasuki.cli.catching import catch
from tasuki.cli.mailing import send, status
from tasuki.cli.output import out, say, settings_of
from tasuki.core.clock import utc_now
from tasuki.core.ids import new_id
from tasuki.mail.addresses import check_address, check_sender
from tasuki.mail.message import Mail, compose
from tasuki.mail.settings import MailSettings
from tasuki.mail.smtp import SmtpTransport
from tasuki.mail.templates import Templates
from tasuki.wiring.settings import BadSetting

app = typer.Typer(help="Mail: send, look, try the mail system.", no_args_is_help=True)


@app.callback()
def mail() -> None:
    """Mail: send, look, try the mail system."""


app.command("send")(send)
app.command("status")(status)
app.add_typer(suppressions.app, name="suppressions")
app.command("catch")(catch)


@app.command("test")
def send_test(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="To whom.")],
) -> None:
    """Send one mail to see whether it arrives, and print what the mail system says.

    [dim]Example: tasuki mail test you@example.org[/dim]
    """
    settings = settings_of(context).mail
    if settings.host is None:
        raise BadSetting("TASUKI_MAIL__HOST is not set, so there is nobody to give a mail to.")
    said = asyncio.run(_send(settings, address))
    out.print(f"The mail system says: {said}", highlight=False, markup=False, soft_wrap=True)
    if settings.caught:
        out.print("It only catches mails: nobody got this one. Admins read it in the console.")


@app.command()
def templates(context: typer.Context) -> None:
    """List the templates there are, yours and those of Tasuki, one a line.

    [dim]Example: TASUKI_MAIL__TEMPLATES=mails tasuki mail templates[/dim]
    """
    for name in Templates(settings_of(context).mail.templates).names():
        say(name)


async def _send(settings: MailSettings, address: str) -> str:
    letter = Mail(
        to=check_address(address),
        subject="A test of Tasuki",
        text="If you can read this, mail from Tasuki reaches you.\n",
        key=str(new_id()),
    )
    transport = SmtpTransport(settings)
    try:
        return await transport.send(
            compose(letter, sender=check_sender(settings.from_), at=utc_now())
        )
    finally:
        await transport.close()
