"""What can be wrong with a call about accounts."""

from tasuki.core.errors import Conflict, NotFound, RateLimited


class UserNotFound(NotFound):
    """No such user."""

    code = "user_not_found"
    title = "No such user"

    def __init__(self, who: int | str) -> None:
        """Name the user that was asked for."""
        super().__init__(f"There is no user {who}.")


class UserExists(Conflict):
    """The username is taken; case makes no difference."""

    code = "user_exists"
    title = "Username is taken"

    def __init__(self, username: str) -> None:
        """Name it."""
        super().__init__(f"There is a user {username} already; choose another name.")


class LastAdmin(Conflict):
    """Without this admin nobody could administer the system."""

    code = "last_admin"
    title = "Last admin"

    def __init__(self) -> None:
        """Say how to go on."""
        super().__init__("This is the last enabled admin; make another one first.")


class TooManyTokens(Conflict):
    """The user holds as many API tokens as are allowed."""

    code = "too_many_tokens"
    title = "Too many tokens"

    def __init__(self, most: int) -> None:
        """Name the limit."""
        super().__init__(f"A user may hold {most} tokens; delete one that is not used.")


class TooManyTickets(RateLimited):
    """The user holds as many tickets as are allowed, neither used nor over."""

    def __init__(self, most: int, *, retry_after_s: int) -> None:
        """Name the limit, and when there is room for certain."""
        super().__init__(
            f"You hold {most} tickets that are not used; a stream or socket needs one.",
            retry_after_s=retry_after_s,
        )


class SystemNotEmpty(Conflict):
    """Demo data goes into an empty system only."""

    code = "system_not_empty"
    title = "System is not empty"

    def __init__(self) -> None:
        """Say how to go on."""
        super().__init__(
            "There are users other than admins; the demo fills an empty system. "
            "Use another database or data directory."
        )
