"""What clients of sockets say, checked against a model."""

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tasuki.core.clock import rfc3339, utc_now
from tasuki.core.errors import ValidationFailed

Message = TypeVar("Message", bound=BaseModel)

_MOST_FAULTS = 3


class Ping(BaseModel):
    """Asks whether the server is there, and whether the socket hears what is published by now."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["ping"]


def pong() -> dict[str, Any]:
    """Return the answer to a `Ping`."""
    return {"type": "pong", "timestamp": rfc3339(utc_now())}


def read_message(model: type[Message], message: dict[str, Any]) -> Message:
    """Return a message as its model has it; declare that with ``extra="forbid"``.

    Raises:
        ValidationFailed: It does not fit. What was sent is not repeated: it may be anything.
    """
    try:
        return model.model_validate(message)
    except ValidationError as exc:
        faults = [
            {"loc": list(fault["loc"]), "msg": fault["msg"]}
            for fault in exc.errors(include_url=False, include_input=False)[:_MOST_FAULTS]
        ]
        named = "; ".join(
            f"{fault['loc'][-1] if fault['loc'] else 'message'}: {fault['msg']}"
            for fault in faults
        )
        raise ValidationFailed(named[:1000], errors=faults) from exc
