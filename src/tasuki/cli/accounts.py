"""`tasuki user` and `tasuki token`: accounts, with an operator's rights."""

from typing import Annotated

import typer

from tasuki.accounts.records import Role
from tasuki.accounts.tokens import TokenService
from tasuki.accounts.users import UserService
from tasuki.cli.output import errors, out, say, settings_of
from tasuki.cli.system import with_system
from tasuki.core.database import Database
from tasuki.core.ids import new_secret
from tasuki.wiring import Tasuki

users = typer.Typer(help="Accounts: add, password, disable.", no_args_is_help=True)
tokens = typer.Typer(help="API tokens for programs.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Username.")]


@users.command()
def add(
    context: typer.Context,
    name: Name,
    email: Annotated[str, typer.Option(help="Mail address.")],
    admin: Annotated[bool, typer.Option("--admin", help="Make it an admin.")] = False,
    scope: Annotated[
        list[str] | None, typer.Option(help="Give a scope, e.g. task:shop.invoice; repeatable.")
    ] = None,
    verified: Annotated[
        bool, typer.Option("--verified", help="The mail address is surely theirs.")
    ] = False,
) -> None:
    """Add a user; the password is asked for, or read from standard input, or drawn.

    [dim]Example: tasuki user add hanako --email hanako@example.org --scope export:pii[/dim]
    """
    role: Role = "admin" if admin else "user"
    given = _ask_password()
    secret = given or new_secret()

    async def create(tasuki: Tasuki) -> int:
        async with tasuki.services.get(Database).unit_of_work() as session:
            user = await tasuki.services.get(UserService).create(
                session,
                username=name,
                email=email,
                password=secret,
                role=role,
                scopes=scope or [],
                email_verified=verified,
            )
            return user.id

    number = with_system(settings_of(context), create)
    out.print(f"Added {role} {name}, number {number}.", markup=False, highlight=False)
    if given is None:
        out.print(f"Password: {secret}", markup=False, highlight=False, soft_wrap=True)


@users.command()
def password(context: typer.Context, name: Name) -> None:
    """Set a user's password and end all their sessions; asked for, or read from a pipe.

    [dim]Example: tasuki user password hanako[/dim]
    """
    secret = _ask_password()
    if not secret:
        errors.print("No password: type it, or pipe it in: echo SECRET | tasuki user password …")
        raise typer.Exit(2)

    async def change(tasuki: Tasuki) -> None:
        async with tasuki.services.get(Database).unit_of_work() as session:
            service = tasuki.services.get(UserService)
            user = await service.get_by_username(session, name)
            await service.set_password(session, user.id, secret)

    with_system(settings_of(context), change)
    out.print(f"Changed. All sessions of {name} have ended.", markup=False, highlight=False)


@users.command()
def disable(context: typer.Context, name: Name) -> None:
    """Disable a user: sessions and tokens end at once.

    [dim]Example: tasuki user disable hanako[/dim]
    """

    async def change(tasuki: Tasuki) -> None:
        async with tasuki.services.get(Database).unit_of_work() as session:
            service = tasuki.services.get(UserService)
            user = await service.get_by_username(session, name)
            await service.change(session, user.id, disabled=True)

    with_system(settings_of(context), change)
    out.print(f"Disabled {name}.", markup=False, highlight=False)


@tokens.command("create")
def create_token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    user: Annotated[str, typer.Option(help="Whose token.")],
) -> None:
    """Create an API token and print it, alone on its line. It is never shown again.

    [dim]Example: TOKEN=$(tasuki token create deploy --user hanako)[/dim]
    """

    async def create(tasuki: Tasuki) -> str:
        async with tasuki.services.get(Database).unit_of_work() as session:
            owner = await tasuki.services.get(UserService).get_by_username(session, user)
            _, secret = await tasuki.services.get(TokenService).create(
                session, owner.id, name=name
            )
            return secret

    say(with_system(settings_of(context), create))


def _ask_password() -> str | None:
    """Return a password typed twice, or the first line of a pipe; nothing where neither is."""
    stdin = typer.get_text_stream("stdin")
    if stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return stdin.readline().rstrip("\n") or None
