"""What can be exported of chat."""

from sqlalchemy import select

from tasuki.chat.models import MessageRow, RoomRow
from tasuki.core.datasets import Dataset

MESSAGES = Dataset(
    name="messages",
    about="What was said in rooms, by whom it was.",
    rows=select(
        MessageRow.id,
        RoomRow.name.label("room"),
        MessageRow.seq,
        MessageRow.user_id,
        MessageRow.username,
        MessageRow.message,
        MessageRow.created_at,
    ).join(RoomRow, RoomRow.id == MessageRow.room_id),
    owner="user_id",
    filters=("room", "created_at"),
    sort=("created_at", "seq"),
)
