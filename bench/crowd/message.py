"""The message that every system brings to its clients: 200 bytes of JSON."""

import json

SIZE = 200
FIRST = 1_000_000
"""The number of the first message; all numbers have seven digits."""

_WORDS = (
    "The quick brown fox jumps over the lazy dog, and while it is in the air it reads out what "
    "people have written to each other since the morning: who comes, who goes, and what is new. "
)


def text_for(shape: str) -> str:
    """Return the text that makes a message of this shape 200 bytes long."""
    return _WORDS[: SIZE - len(shape.format(number=FIRST, text=""))]


TEXT = text_for('{{"type":"tick","number":{number},"text":"{text}"}}')
"""For Tasuki and nchan, in which the message is the text of a frame."""


def tick(number: int) -> dict[str, object]:
    """Return the message as the guide's application would have it."""
    return {"type": "tick", "number": number, "text": GUIDE_TEXT}


GUIDE_TEXT = text_for('{{"type": "tick", "number": {number}, "text": "{text}"}}')
SOCKETIO_TEXT = text_for('42["tick",{{"number":{number},"text":"{text}"}}]')

assert len(json.dumps(tick(FIRST))) == SIZE
