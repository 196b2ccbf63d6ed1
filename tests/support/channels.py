"""Channels that tests publish in; loaded as a project's own module."""

from pydantic import BaseModel

from tasuki.realtime.channels import History, Namespace, everybody


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
