"""Channels that tests publish in; loaded as a project's own module."""

from pydantic import BaseModel

from tasuki.core.registry import Registry
from tasuki.realtime.channels import History, Namespace, everybody
from tasuki.web.principal import Principal


class Price(BaseModel):
    """What something costs."""

    value: int


class Remark(BaseModel):
    """What somebody says about it."""

    text: str


PRICES = Namespace(name="prices", events={"price": Price, "remark": Remark}, may_see=everybody)
SHORT = Namespace(
    name="short", events={"price": Price}, may_see=everybody, history=History(size=2)
)
SECRET = Namespace(name="secret", events={"price": Price})

VERDICTS: dict[str, bool | Exception] = {}
"""Who may see ``moody:KEY``, by its key: everybody, if nothing is said here."""


async def _as_told(_user: Principal, key: str, _services: Registry) -> bool:
    verdict = VERDICTS.get(key, True)
    if isinstance(verdict, Exception):
        raise verdict
    return verdict


MOODY = Namespace(name="moody", events={"price": Price}, may_see=_as_told)
