"""The errors that Tasuki expects, and what each means to a client.

Capabilities add their own below these in their ``errors.py``::

    TasukiError                     500 internal_error
    ├── NotAuthenticated            401 not_authenticated
    │   └── InvalidCredentials      401 invalid_credentials
    ├── Forbidden                   403 forbidden
    │   └── TooManyRooms            403 forbidden
    ├── NotFound                    404 not_found
    │   ├── DatasetNotFound         404 not_found
    │   ├── ExportNotFound          404 not_found
    │   ├── RoomNotFound            404 room_not_found
    │   ├── TaskNotFound            404 task_not_found
    │   ├── UnknownChannel          404 not_found
    │   └── UserNotFound            404 user_not_found
    ├── MethodNotAllowed            405 method_not_allowed
    ├── Conflict                    409 conflict
    │   ├── IdempotencyConflict     409 idempotency_conflict
    │   ├── RoomExists              409 room_exists
    │   ├── TaskAlreadyRunning      409 task_already_running
    │   ├── TaskFinished            409 task_finished
    │   ├── TaskNotFinished         409 task_not_finished
    │   ├── UserExists              409 user_exists
    │   ├── LastAdmin               409 last_admin
    │   ├── TooManyTokens           409 too_many_tokens
    │   └── SystemNotEmpty          409 system_not_empty
    ├── BodyTooLarge                413 body_too_large
    ├── UnsupportedMediaType        415 unsupported_media_type
    ├── ValidationFailed            422 validation_failed
    │   └── UnknownTask             422 validation_failed
    ├── RateLimited                 429 rate_limited      retryable
    │   ├── TooManyConnections      429 rate_limited      retryable
    │   ├── TooManyExports          429 rate_limited      retryable
    │   └── TooManyTickets          429 rate_limited      retryable
    ├── Unavailable                 503 unavailable       retryable
    │   ├── ExportRunning           503 unavailable       retryable
    │   ├── MailDeferred            503 unavailable       retryable
    │   └── MailUnreachable         503 unavailable       retryable
    ├── MailRejected                422 mail_rejected
    ├── MailUnknown                 502 mail_unknown
    ├── TemplateFailed              500 template_failed
    ├── ExportFailed                500 export_failed     retryable
    ├── LeaseLost                   500 lease_lost        in a worker, never an answer
    ├── Fatal                       500 task_failed       raised by tasks
    └── RenderingFailed             500 rendering_failed  raised by tasks

An error knows its HTTP status but needs no HTTP: the command line and the workers raise
and read the same ones.
"""

from http import HTTPStatus
from typing import Any, ClassVar


class TasukiError(Exception):
    """Root of every expected error. Subclass it; never raise it as it is."""

    code: ClassVar[str] = "internal_error"
    """Stable, documented, snake_case: what clients match on."""
    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    title: ClassVar[str] = "Internal error"
    """One short phrase for people, the same for every occurrence (RFC 9457, 3.1.3)."""
    retryable: ClassVar[bool] = False
    """Whether the same call may succeed later with no change of input."""

    def __init__(self, detail: str | None = None, *, retry_after_s: int | None = None) -> None:
        """Say what happened, and how to mend it, in one sentence or two."""
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.retry_after_s = retry_after_s


class NotAuthenticated(TasukiError):
    """The call needs to know who is calling, and does not."""

    code = "not_authenticated"
    status = HTTPStatus.UNAUTHORIZED
    title = "Sign in first"


class InvalidCredentials(NotAuthenticated):
    """Name or password is wrong; which of the two is not said."""

    code = "invalid_credentials"
    title = "Wrong name or password"


class Forbidden(TasukiError):
    """The caller is known, and may not do this."""

    code = "forbidden"
    status = HTTPStatus.FORBIDDEN
    title = "Not allowed"


class NotFound(TasukiError):
    """It does not exist, or it belongs to somebody else; the two look alike on purpose."""

    code = "not_found"
    status = HTTPStatus.NOT_FOUND
    title = "Not found"


class MethodNotAllowed(TasukiError):
    """The path exists, but not for this HTTP method."""

    code = "method_not_allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED
    title = "Method not allowed"


class Conflict(TasukiError):
    """The call contradicts what is already there."""

    code = "conflict"
    status = HTTPStatus.CONFLICT
    title = "Conflict"


class BodyTooLarge(TasukiError):
    """The request's body is over the limit."""

    code = "body_too_large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "Body too large"


class UnsupportedMediaType(TasukiError):
    """The body is not JSON."""

    code = "unsupported_media_type"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    title = "Send JSON"


class ValidationFailed(TasukiError):
    """The input has the wrong shape; ``errors`` says where and how to mend it."""

    code = "validation_failed"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Invalid input"

    def __init__(self, detail: str, *, errors: list[dict[str, Any]] | None = None) -> None:
        """Take the list of single faults, each ``{"loc": [...], "msg": "..."}``."""
        super().__init__(detail)
        self.errors = errors or []


class RateLimited(TasukiError):
    """Too many calls; ``retry_after_s`` says when the next may come."""

    code = "rate_limited"
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many requests"
    retryable = True


class Unavailable(TasukiError):
    """Something Tasuki stands on, such as the database, does not answer now."""

    code = "unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Temporarily unavailable"
    retryable = True


def all_errors() -> list[type[TasukiError]]:
    """Return every error class there is, the root first, for docs and contracts."""
    found: list[type[TasukiError]] = []
    waiting = [TasukiError]
    while waiting:
        error = waiting.pop()
        found.append(error)
        waiting.extend(error.__subclasses__())
    return sorted(found, key=lambda error: (error.status, error.code))
