"""`tasuki export`: rows into a file."""

from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
)

from tasuki.cli.output import errors, out, settings_of
from tasuki.cli.system import with_system
from tasuki.core.datasets import Dataset, Datasets
from tasuki.core.files import whole_file
from tasuki.exports.copying import Copier, ExportSource
from tasuki.exports.errors import DatasetNotFound
from tasuki.exports.forms import Encoding, Form, Format, Profile
from tasuki.exports.query import ExportQuery, read_query
from tasuki.wiring import Tasuki

_ENCODINGS: dict[str, Encoding] = {".gz": "gzip", ".zst": "zstd"}
_FORMATS: dict[str, Format] = {".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson"}


def _for_a_file(path: Path) -> Path:
    """Refuse what no file can be put at, before a million rows are read for it.

    The file takes the place of what is there, and as root that could be a device.
    """
    if path.exists() and not path.is_file():
        raise typer.BadParameter(f"{str(path)!r} is there and is no file")
    folder = path.resolve().parent  # of what a link points to, not of the link
    if not folder.is_dir():
        raise typer.BadParameter(f"there is no folder {str(folder)!r}")
    return path


_AskedFormat = Annotated[
    Format | None,
    typer.Option(help="csv, json or ndjson; default: as the file is named, else csv."),
]


def export(
    context: typer.Context,
    dataset: Annotated[
        str, typer.Argument(help="What: users, activity, tasks, messages or your own.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The file; NAME.gz or NAME.zst: compressed.",
            callback=_for_a_file,
        ),
    ],
    format: _AskedFormat = None,  # noqa: A002  # the option's name
    profile: Annotated[Profile, typer.Option(help="For CSV: data or excel.")] = "data",
    columns: Annotated[str, typer.Option(help="Names with commas; default: the usual.")] = "",
    sort: Annotated[str, typer.Option(help="Names with commas; -NAME: descending.")] = "",
    where: Annotated[
        list[str] | None, typer.Option(help="A filter, such as kind=login; repeat it for more.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows.")] = None,
) -> None:
    """Export rows into a file, as fast as psql. The file is there once it is whole.

    [dim]Example: tasuki export users --output users.csv[/dim]

    [dim]Example: tasuki export activity --where kind=login -o logins.csv.zst[/dim]
    """
    form = _form_of(output, format, profile)
    place = output.resolve()  # a link stays one

    async def run(tasuki: Tasuki) -> int:
        query = read_query(
            _find(tasuki.services.get(Datasets), dataset),
            columns=_split(columns),
            sort=_split(sort),
            filters=_filters(where or []),
            limit=limit,
        )
        async with tasuki.services.get(ExportSource).open(at_once=1) as copier:
            return await _copy(copier, query, form, place)

    rows = with_system(settings_of(context), run)
    out.print(f"Wrote {rows} rows to {output}.", highlight=False, markup=False, soft_wrap=True)


async def _copy(copier: Copier, query: ExportQuery, form: Form, output: Path) -> int:
    bar = Progress(
        TextColumn("rows"),
        BarColumn(),
        MofNCompleteColumn(),
        console=errors,
    )
    with whole_file(output) as file, bar:
        task = bar.add_task("rows", total=await copier.count(query))

        async def write(data: bytes) -> None:
            file.write(data)

        async def tell(rows: int) -> None:
            bar.update(task, completed=rows)

        return await copier.copy(query, form, write, tell=tell)


def _form_of(output: Path, asked: Format | None, profile: Profile) -> Form:
    """Return the form of a file: as the file is named, unless asked for another."""
    encoding = _ENCODINGS.get(output.suffix, "identity")
    named = output if encoding == "identity" else output.with_suffix("")
    return Form(
        format=asked or _FORMATS.get(named.suffix, "csv"), profile=profile, encoding=encoding
    )


def _find(datasets: Datasets, name: str) -> Dataset:
    found = datasets.by_name.get(name)
    if found is None:
        raise DatasetNotFound(
            f"There is no dataset {name!r}; there is: {', '.join(datasets.by_name)}."
        )
    return found


def _filters(texts: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is no filter; write NAME=VALUE")
        found[name].append(value)
    return found


def _split(names: str) -> list[str]:
    return [name for name in names.split(",") if name]
