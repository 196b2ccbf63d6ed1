"""An export as the rest of the program sees it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from tasuki.exports.forms import Encoding, Format, Profile

RunState = Literal["running", "complete", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportRun:
    """One export.

    Attributes:
        rows_of: Whose rows it has, by their number; none: everybody's.
        bytes: Length of the file as it is sent, compressed where it is.
        sha256: Of the same bytes; known once it is complete.
    """

    id: UUID
    owner_id: int
    rows_of: int | None
    dataset: str
    format: Format
    profile: Profile
    encoding: Encoding
    state: RunState
    rows: int
    bytes: int
    sha256: str | None
    error: str | None
    created_at: datetime
    expires_at: datetime
