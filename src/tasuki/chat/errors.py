"""What can be wrong with a call about rooms."""

from tasuki.core.errors import Conflict, Forbidden, NotFound


class RoomNotFound(NotFound):
    """There is no such room, or it is private and not yours; the two look alike."""

    code = "room_not_found"
    title = "No such room"

    def __init__(self, name: str) -> None:
        """Name the room that was asked for."""
        super().__init__(f"There is no room {name[:100]} for you.")


class RoomExists(Conflict):
    """The name is taken, perhaps by a private room."""

    code = "room_exists"
    title = "Room name is taken"

    def __init__(self, name: str) -> None:
        """Name it."""
        super().__init__(f"There is a room {name} already; choose another name.")


class TooManyRooms(Forbidden):
    """The user has made as many rooms as one may."""

    def __init__(self, most: int) -> None:
        """Name the limit."""
        super().__init__(f"You have made {most} rooms; nobody may make more.")
