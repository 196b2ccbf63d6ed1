"""The first start of an empty system makes an admin."""

from tasuki.accounts import UserService
from tasuki.cli.output import say
from tasuki.cli.system import with_system
from tasuki.core.database import Database
from tasuki.wiring import Settings, Tasuki


def make_admin(settings: Settings) -> str | None:
    """Make the first admin where there are no users; return the password if it was drawn."""

    async def make(tasuki: Tasuki) -> str | None:
        async with tasuki.services.get(Database).unit_of_work() as session:
            return await tasuki.services.get(UserService).ensure_admin(session)

    return with_system(settings, make)


def announce_admin(settings: Settings) -> None:
    """Make the first admin and print how to sign in, once and never again."""
    password = make_admin(settings)
    if password is not None:
        say(f"Admin login: admin / {password}")
