"""The JSON of exports."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tasuki.core.datasets import Dataset
from tasuki.exports.forms import Encoding, Format, Profile
from tasuki.exports.query import MOST_ROWS, filter_names
from tasuki.exports.records import ExportRun, RunState
from tasuki.tasks.telling import MAIL_ME


def _plain(name: str) -> str:
    if any(char in "/\\" or not char.isprintable() for char in name):
        raise ValueError("a name without slashes and control characters")
    return name


FileName = Annotated[str, Field(min_length=1, max_length=150), AfterValidator(_plain)]


class ColumnOut(BaseModel):
    """A column that can be exported."""

    name: str
    kind: str = Field(
        description="integer, number, text, boolean, timestamp, date, uuid, json or list."
    )


class DatasetOut(BaseModel):
    """Something that can be exported, as far as the caller may."""

    name: str
    about: str
    columns: list[ColumnOut]
    columns_first: list[str] = Field(description="The columns of an export that names none.")
    filters: list[str] = Field(
        description="Query parameters: the value itself, or `_from` (that or more), `_before`."
    )
    sort: list[str] = Field(description="May be sorted by; with `-` before it descending.")
    owner: str | None = Field(description="The column that tells whose row it is.")
    rows_of: Literal["all", "own"] = Field(description="Whose rows the caller may export.")

    @classmethod
    def of(cls, dataset: Dataset, *, sees_all: bool) -> "DatasetOut":
        """Show a dataset to somebody who may have all rows of it, or only some."""
        return cls(
            name=dataset.name,
            about=dataset.about,
            columns=[ColumnOut(name=name, kind=kind) for name, kind in dataset.columns.items()],
            columns_first=list(dataset.columns_first or dataset.columns),
            filters=list(filter_names(dataset)),
            sort=list(dataset.sort),
            owner=dataset.owner,
            rows_of="all" if sees_all else "own",
        )


class DatasetsOut(BaseModel):
    """All datasets that the caller may export anything of."""

    items: list[DatasetOut]


class ExportRunOut(BaseModel):
    """An export: how far it is, and what the file must be."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    dataset: str
    format: Format
    profile: Profile
    encoding: Encoding
    state: RunState
    rows: int = Field(description="So far; the header is none.")
    bytes: int = Field(description="So far, as sent: compressed where `encoding` says so.")
    sha256: str | None = Field(description="Of these bytes, once the export is complete.")
    error: str | None
    is_to_be_had: bool = Field(
        description="Whether `…/file` has it: now, soon, or once it was made again."
    )
    created_at: datetime
    expires_at: datetime = Field(description="Until then the file can be fetched again.")

    @classmethod
    def of(cls, run: ExportRun) -> "ExportRunOut":
        """Show an export."""
        return cls.model_validate(run)


class ExportOrder(BaseModel):
    """An export as a task."""

    model_config = ConfigDict(extra="forbid")

    format: Format = "csv"
    profile: Profile = "data"
    columns: list[str] = Field(default=[], max_length=100)
    sort: list[str] = Field(default=[], max_length=10)
    filters: dict[str, str | list[str]] = Field(default={}, max_length=50)
    limit: int | None = Field(default=None, ge=1, le=MOST_ROWS)
    filename: FileName | None = Field(default=None, description="Without its ending.")
    mail_me: bool = MAIL_ME
