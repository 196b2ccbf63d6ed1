"""JSON text that PostgreSQL will store.

``jsonb`` refuses two things that Python strings may hold: the character U+0000 and half a
surrogate pair. Both become U+FFFD, so that a strange message never loses the work it
describes.
"""

import json
import re
from typing import Any

_MAX_DEPTH = 32  # levels of what is kept; JSON writers give up at a few hundred
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


def why_not_kept(value: Any, *, most_bytes: int) -> str | None:
    """Return why a value of a caller's cannot be kept as JSON, or nothing if it can.

    Args:
        most_bytes: Of its JSON text, as PostgreSQL gets it.
    """
    if not _is_shallow(value):
        return f"is nested deeper than {_MAX_DEPTH} levels"
    try:
        size_bytes = len(dump(value).encode())
    except (TypeError, ValueError) as exc:
        return f"is not JSON: {exc}"
    return f"is larger than {most_bytes} bytes" if size_bytes > most_bytes else None


def _is_shallow(value: Any) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [child for one in level for child in _children(one)]
        if not level:
            return True
    return False


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []
