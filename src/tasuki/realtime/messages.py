"""What clients of sockets say, checked against a model."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tasuki.core.errors import ValidationFailed

Message = TypeVar("Message", bound=BaseModel)

_MOST_FAULTS = 3


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
