"""An export as the rest of the program sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from tasuki.exports.forms import Encoding, Form, Format, Profile
from tasuki.exports.spool import Beginning

RunState = Literal["running", "complete", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportRun:
    """One export.

    Attributes:
        asked: Which rows; see `tasuki.exports.query.asked`.
        bytes: Length of the file as it is sent, compressed where it is.
        sha256: Of the same bytes; known once it is complete.
        left: What a client can have of a file that was given up; it can be made again.
    """

    id: UUID
    owner_id: int
    dataset: str
    form: Form
    asked: Mapping[str, Any]
    state: RunState
    rows: int
    bytes: int
    sha256: str | None
    left: Beginning | None
    error: str | None
    created_at: datetime
    expires_at: datetime

    @property
    def rows_of(self) -> int | None:
        """Whose rows it has, by their number; none: everybody's."""
        owner_id: int | None = self.asked["owner_id"]
        return owner_id

    @property
    def format(self) -> Format:
        """See `Form`."""
        return self.form.format

    @property
    def profile(self) -> Profile:
        """See `Form`."""
        return self.form.profile

    @property
    def encoding(self) -> Encoding:
        """See `Form`."""
        return self.form.encoding

    @property
    def is_to_be_had(self) -> bool:
        """Whether its file can be fetched: now, soon, or once it was made again."""
        return self.state != "failed" or self.left is not None
