"""Rules of the house that no linter knows, each with its reason."""

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import tasuki
from support.everything import import_everything
from tasuki.core import errors
from tasuki.core.errors import TasukiError, all_errors

SOURCE = Path(tasuki.__file__).parent
MIGRATIONS = SOURCE / "wiring" / "migrations"
FILES = {str(path.relative_to(SOURCE)): path for path in sorted(SOURCE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in FILES.items()}
FACES = [
    name
    for name in FILES
    if name.count("/") == 1
    and name.endswith("__init__.py")
    and "__all__" in FILES[name].read_text()
]
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 40
MOST_NAMES_OF_A_FACE = 12


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Return all calls in a tree."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    """Return what is called, as it is written."""
    return ast.unparse(call.func)


def places(found: Callable[[ast.AST], bool], *, but: tuple[str, ...] = ()) -> list[str]:
    """Return where in the source a node is found that should not be there."""
    return [
        f"{name}:{getattr(node, 'lineno', 0)}"
        for name, tree in TREES.items()
        if not name.startswith(but or ("\0",))
        for node in ast.walk(tree)
        if found(node)
    ]


# Sizes


def test_no_file_is_too_long_to_read() -> None:
    """A file is read in one sitting, or it is two files."""
    lengths = {name: len(path.read_text().splitlines()) for name, path in FILES.items()}

    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_function_is_too_long_to_see() -> None:
    """It fits on a screen, its docstring aside; a migration is a list and may be long."""
    too_long = [
        f"{name}:{node.lineno} {node.name}"
        for name, tree in TREES.items()
        if not name.startswith("wiring/migrations/versions/")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and lines_of(node) > MOST_LINES_OF_A_FUNCTION
    ]

    assert too_long == []


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function without its docstring."""
    first = function.body[0]
    has_docstring = ast.get_docstring(function, clean=False) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


# Faces


def test_the_public_names_are_those_of_the_documentation() -> None:
    """A name that is added here is promised to everybody who installs Tasuki."""
    assert tasuki.__all__ == [
        "Artifact",
        "Fatal",
        "Retry",
        "Settings",
        "Task",
        "TaskContext",
        "TaskHandle",
        "Tasuki",
        "task",
    ]
    assert all(getattr(tasuki, name) is not None for name in tasuki.__all__)


@pytest.mark.parametrize("name", FACES)
def test_a_face_shows_few_names_and_has_no_code(name: str) -> None:
    """A capability is entered by its face; whoever reads that knows what it offers."""
    module = importlib.import_module("tasuki." + name.removesuffix("/__init__.py"))
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

    assert module.__all__ == sorted(module.__all__)
    assert len(module.__all__) <= MOST_NAMES_OF_A_FACE
    assert all(getattr(module, shown) is not None for shown in module.__all__)
    assert [node for node in ast.walk(TREES[name]) if isinstance(node, defined)] == []


# What is done in one place only


def test_only_the_clock_asks_for_the_time() -> None:
    """Everything else is handed a clock, so that a test can move the time."""
    asking = re.compile(r"(datetime|date)\.(now|utcnow|today)$")

    assert (
        places(
            lambda node: isinstance(node, ast.Call) and bool(asking.search(name_of(node))),
            but=("core/clock.py",),
        )
        == []
    )


def test_only_the_unit_of_work_commits() -> None:
    """Who opened a transaction ends it; a commit elsewhere would accept half of what was asked."""
    assert (
        places(
            lambda node: isinstance(node, ast.Call) and name_of(node).endswith(".commit"),
            but=("core/database.py", "wiring/migrations/"),
        )
        == []
    )


def test_no_middleware_is_made_of_base_http_middleware() -> None:
    """Under it an export that breaks half-way ends as a clean 200: silent loss of data."""
    assert (
        places(
            lambda node: (
                (isinstance(node, ast.Name) and node.id == "BaseHTTPMiddleware")
                or (isinstance(node, ast.alias) and node.name == "BaseHTTPMiddleware")
                or (
                    isinstance(node, ast.Call)
                    and name_of(node).endswith(".middleware")
                    and bool(node.args)
                )
            )
        )
        == []
    )


# Asyncio


def test_every_asyncio_task_has_an_owner() -> None:
    """A task that nobody holds may be collected while it runs, and its error is lost."""
    assert (
        places(
            lambda node: (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Call)
                and name_of(node.value).endswith(("create_task", "ensure_future"))
                and not isinstance_of_group(node.value)
            )
        )
        == []
    )


def isinstance_of_group(call: ast.Call) -> bool:
    """Whether a task group owns the task: by our convention such a group is named so."""
    return name_of(call).partition(".")[0] in {"group", "tasks"}


def test_every_queue_has_a_bound() -> None:
    """A queue without one turns a slow reader into a process without memory."""
    assert (
        places(
            lambda node: (
                isinstance(node, ast.Call)
                and name_of(node).endswith(("asyncio.Queue", "queue.Queue", "SimpleQueue"))
                and not node.args
                and not node.keywords
            )
        )
        == []
    )


def test_nothing_sleeps_in_place_of_work() -> None:
    """`time.sleep` stops a whole loop; the servers' own waiting is in a thread of its own."""
    assert (
        places(
            lambda node: isinstance(node, ast.Call) and name_of(node) == "time.sleep",
            but=("embedded/",),
        )
        == []
    )


# Errors

DRAWN = re.compile(r"^    ([│ ]*)[├└]── (\w+) +(\d{3}) (\w+)(?: +(retryable))?", re.MULTILINE)


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    """Whoever reads `core/errors.py` sees every error there is, and what it is under."""
    import_everything()
    drawn = {}
    parents = {-1: "TasukiError"}
    for bars, name, status, code, retryable in DRAWN.findall(errors.__doc__ or ""):
        depth = len(bars) // 4
        parents[depth] = name
        drawn[name] = (parents[depth - 1], int(status), code, bool(retryable))

    assert drawn == {
        error.__name__: (error.__mro__[1].__name__, int(error.status), error.code, error.retryable)
        for error in all_errors()
        if error.__module__.startswith("tasuki.") and error is not TasukiError
    }


def test_every_code_is_one_word_and_means_one_thing() -> None:
    """Clients match on it: two statuses under one code would be two meanings."""
    import_everything()
    rows = sorted({(error.code, int(error.status), error.retryable) for error in all_errors()})

    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code, _, _ in rows)
    assert [code for (code, *_), (other, *_) in pairwise(rows) if code == other] == []
