"""The channel of the measurement; loaded as a project's own module."""

from pydantic import BaseModel

from tasuki.realtime.channels import Namespace, everybody


class Tick(BaseModel):
    """What everybody hears."""

    number: int
    text: str


CROWD = Namespace(name="crowd", events={"tick": Tick}, may_see=everybody)
CHANNEL = CROWD.channel("all")
