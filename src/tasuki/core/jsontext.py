"""JSON text that PostgreSQL will store.

``jsonb`` refuses two things that Python strings may hold: the character U+0000 and half a
surrogate pair. Both become U+FFFD, so that a strange message never loses the work it
describes.
"""

import json
import re
from typing import Any

_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def dump(value: Any) -> str:
    """Return a value as compact JSON text.

    Raises:
        TypeError: It holds something JSON has no word for.
        ValueError: It holds NaN or an infinity, or itself.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.encode("utf-8", "replace").decode()
    return _ESCAPED_NUL.sub(r"\1\\ufffd", text) if "\\u0000" in text else text


def clean(value: Any) -> Any:
    """Return the value as it comes back from the database."""
    return json.loads(dump(value))
