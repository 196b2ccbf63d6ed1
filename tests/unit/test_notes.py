"""What somebody is to be told: what is acceptable, and when it is the same."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from tasuki.core.errors import ValidationFailed
from tasuki.notifications import Note

NOTE = Note(notification_type="task", title="Done", message="All of it", data={"n": 1})
TASK, OTHER = UUID(int=1), UUID(int=2)


def test_the_same_words_of_a_task_to_a_user_have_the_same_id() -> None:
    """So that they are told once; anything that differs is told as well."""
    ids = [
        NOTE.id_of(TASK, 7),
        NOTE.id_of(OTHER, 7),
        NOTE.id_of(TASK, 8),
        replace(NOTE, title="Done!").id_of(TASK, 7),
        replace(NOTE, message="").id_of(TASK, 7),
        replace(NOTE, data={"n": 2}).id_of(TASK, 7),
        replace(NOTE, notification_type="report").id_of(TASK, 7),
    ]

    assert len(set(ids)) == len(ids)
    assert NOTE.checked().id_of(TASK, 7) == ids[0]
    assert ids[0].version == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("notification_type", "a\tb"),
        ("title", "two\nlines"),
        ("title", "two\u2028lines"),
        ("title", "x" * 201),
        ("message", "x" * 4_001),
        ("data", {"x": object()}),
        ("data", {"x": float("nan")}),
        ("data", {"x": "y" * 8_192}),
    ],
)
def test_what_no_inbox_can_show_is_refused_by_name(name: str, value: Any) -> None:
    """Callers from Python get the same answer as those over HTTP."""
    with pytest.raises(ValidationFailed) as refused:
        replace(NOTE, **{name: value}).checked()

    assert refused.value.errors[0]["loc"] == ["body", name]
