"""Users of Tasuki who have signed in."""

from dataclasses import dataclass

from bench.contest.field import Servers
from pydantic import SecretStr

from tasuki import Tasuki
from tasuki.accounts import SessionService, UserService
from tasuki.core.database import Database
from tasuki.wiring.settings import Settings


@dataclass(frozen=True)
class Person:
    """A user, and what a browser of theirs sends."""

    id: int
    cookie: str


async def people(where: Servers, count: int) -> list[Person]:
    """Make so many users, each with a session."""
    settings = Settings(
        database_url=SecretStr(where.database_url), redis_url=SecretStr(where.redis_url)
    )
    async with Tasuki(settings).connected() as tasuki:
        users, sessions = tasuki.services.get(UserService), tasuki.services.get(SessionService)
        found = []
        async with tasuki.services.get(Database).unit_of_work() as session:
            for number in range(count):
                user = await users.create(
                    session,
                    username=f"user{number}",
                    email=f"user{number}@example.org",
                    role="user",
                    scopes=(),
                    password=None,
                )
                secret = await sessions.begin(
                    session, user.id, address="192.0.2.1", user_agent="bench"
                )
                found.append(Person(user.id, f"tasuki_session={secret}"))
    return found
