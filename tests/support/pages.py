"""The pages of the documentation, cut into what a reader does with them.

A page is a series of fenced blocks (CommonMark, 4.5), of pictures and of looks: a comment
``<!-- look: Running -->`` says what the reader sees in the browser at this point.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,})(?P<info>.*)$")
_LOOK = re.compile(r"^<!-- look: (?P<text>.+) -->$")
_PICTURE = re.compile(r"^!\[.+\]\((?P<path>[^)]+\.png)\)$")
_FILE = re.compile(r"^(?:#|//) (?P<path>[\w./-]+\.\w+)$")


@dataclass(frozen=True)
class Block:
    """A fenced block, a look or a picture.

    Attributes:
        page: The page's path below the project.
        line: Where in the page it begins.
        language: The first word after the fence; ``look`` and ``picture`` for those.
        text: What is in it; of a picture its path below the project.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where it stands, as editors take it."""
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that it is: its first line is a comment with a path."""
        found = _FILE.match(self.text.partition("\n")[0])
        return found["path"] if found else None


def all_pages() -> list[str]:
    """Return every page that readers are shown, by its path below the project."""
    top = [ROOT / name for name in ("README.md", "README.ja.md", "CONTRIBUTING.md")]
    pages = [*top, *(ROOT / "examples").glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(str(page.relative_to(ROOT)) for page in pages)


def blocks_of(page: str) -> list[Block]:
    """Return the blocks and looks of a page, in order.

    Raises:
        ValueError: A fence is never closed, or a comment wants to be a look and is not.
    """
    return list(_cut(page, (ROOT / page).read_text().splitlines()))


def _cut(page: str, lines: list[str]) -> Iterator[Block]:
    inside: list[str] = []
    fence = language = ""
    begun = 0
    for number, line in enumerate(lines, start=1):
        if fence:
            if re.fullmatch(rf" {{0,3}}{re.escape(fence[0])}{{{len(fence)},}} *", line):
                yield Block(page, begun, language, "\n".join(inside) + "\n")
                fence, inside = "", []
            else:
                inside.append(line)
        elif found := _FENCE.match(line):
            fence, begun = found["fence"], number
            language = (found["info"].split() or [""])[0]
        else:
            yield from _seen(page, number, line)
    if fence:
        raise ValueError(f"{page}:{begun}: a block without an end")


def _seen(page: str, number: int, line: str) -> Iterator[Block]:
    """Return the look or the picture that a line is, if it is one."""
    if look := _LOOK.match(line):
        yield Block(page, number, "look", look["text"])
    elif picture := _PICTURE.match(line):
        path = (ROOT / page).parent.joinpath(picture["path"]).resolve()
        yield Block(page, number, "picture", str(path.relative_to(ROOT)))
    elif line.startswith("<!--"):
        raise ValueError(f"{page}:{number}: not a comment that the tests know: {line}")
