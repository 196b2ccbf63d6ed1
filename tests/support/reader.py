"""A reader who does what the pages say, in a folder that looks like a fresh clone.

Commands run in a real bash, servers start where a page starts them, files are written where
it says. A command that stays in the foreground takes its terminal, as it would for any reader:
the next block is typed into a new one, which knows nothing of what was exported in the old.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from support.pages import ROOT, Block
from support.servers import free_port
from support.waiting import wait_for

_BLOCK_WITHIN_S = 60
_START_WITHIN_S = 60
_STOP_WITHIN_S = 20
_KNOWN_FILES = ("README.md", "docs", "dev", "deploy", "examples", "pyproject.toml", "src", "tests")
_PORTS = (8000, 8001, 8002)
"""The ports that the pages name. Each stands for a free one, since tests run side by side."""

NOT_RUN = {
    "./dev test": "it would run this test again",
    "./dev test tests/architecture": "it is a part of what runs this test",
    "./dev test examples": "it is a part of what runs this test",
    "./dev check": "it would run this test again",
    "./dev services": "it installs packages of the system",
    "./dev bench": "a measurement takes minutes",
    "./dev chaos": "it kills things for minutes",
    "pip install tasuki": "this version is not published while it is being tested",
    "sudo": "it changes the machine; what nginx then does, tests/integration/test_nginx.py tries",
}
"""Beginnings of lines that are looked at only, each with the reason."""

_STAYING = (
    "./dev up",
    "tasuki up",
    "tasuki web",
    "tasuki worker",
    "tasuki scheduler",
    "./dev tasuki up",
    "./dev python -m uvicorn",
)
"""Beginnings of commands that stay in the foreground until somebody stops them."""


class Mismatch(AssertionError):
    """A page says something that is not so."""


@dataclass
class Server:
    """A command that stays.

    Attributes:
        known: The settings it was started with.
    """

    command: str
    known: str
    process: subprocess.Popen[bytes]
    log: Path
    ready: Path
    is_ready: bool = False

    def look(self) -> bool:
        """See whether it is ready.

        Raises:
            Mismatch: It has ended.
        """
        if self.process.poll() is not None:
            raise Mismatch(f"{self.command}\nended:\n{self.output[-4000:]}")
        if _is_told(self.command):
            said = self.output
            self.is_ready = "ready at http" in said or "Uvicorn running" in said
        else:
            self.is_ready = self.ready.exists()
        return self.is_ready

    def stop(self) -> None:
        """Press Ctrl-C."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            self.process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise AssertionError(f"{self.command} did not stop:\n{self.output[-4000:]}") from None

    @property
    def output(self) -> str:
        """What it has said."""
        return self.log.read_text(errors="replace")


@dataclass
class Reader:
    """Follows pages one after the other.

    Attributes:
        folder: An empty one; becomes the reader's clone.
        replaced: What the pages name, and what it is on this machine.
        env: Set in every terminal: what the reader's machine has already.
        servers: What runs in other terminals.
        password: What the first start printed for the admin.
    """

    folder: Path
    replaced: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    servers: list[Server] = field(default_factory=list)
    password: str = ""

    def __post_init__(self) -> None:
        """Lay the clone out: the project's own files, and its environment of packages."""
        for name in (*_KNOWN_FILES, "requirements.lock"):
            (self.folder / name).symlink_to(ROOT / name)
        packages = self.folder / ".venv"
        shutil.copytree(sys.prefix, packages, symlinks=True, copy_function=_link)
        for own in (".place", ".dev-lock"):  # they tell ./dev where it was made
            (packages / own).unlink(missing_ok=True)
        self._state = self.folder.with_suffix(".terminal")
        self.written: dict[str, str] = {}
        self.ports = {number: free_port() for number in _PORTS}
        # As ./dev itself knows that what is installed is what is wanted.
        self.run("cat requirements.lock pyproject.toml | cksum >state && mv state .venv/.state")

    def close(self) -> None:
        """Close all terminals."""
        while self.servers:
            self.servers.pop().stop()

    @property
    def url(self) -> str:
        """Where the pages' http://127.0.0.1:8000 is."""
        return f"http://127.0.0.1:{self.ports[8000]}"

    @property
    def said(self) -> str:
        """All that the servers have said."""
        return "".join(server.output for server in self.servers)

    def type(self, block: Block) -> None:
        """Type a block of commands into the terminal."""
        stays = False
        for command in _commands(block):
            if _begins(command, NOT_RUN):
                self.look_at(command)
            elif _begins(command, _STAYING):
                self._start(command)
                stays = True
            else:
                self._settle()
                self.run(command)
        self._settle()
        if stays:
            self._state.unlink(missing_ok=True)

    def compare(self, block: Block) -> None:
        """Type the commands after each ``$`` and compare what they say.

        Raises:
            Mismatch: They say something else; ``…`` on the page stands for anything.
        """
        for command, words in _dialogue(block):
            said, expected = _plain(self.run(command)), _plain(self.translate(words))
            pattern = ".*?".join(re.escape(part) for part in expected.split("…"))
            if not re.fullmatch(pattern, said, re.DOTALL):
                raise Mismatch(f"$ {command}\nsays\n{said}\nand not\n{expected}")

    def run(self, command: str) -> str:
        """Run commands in the terminal, and return what they said.

        Raises:
            Mismatch: One of them fails.
        """
        state = f"'{self._state}'"
        # What is set in one block is known in the next; `set -a` has it all exported.
        script = f"[ ! -e {state} ] || . {state}; set -ae\n{self.translate(command)}\n"
        done = subprocess.run(
            ["bash", "-c", f"{script}export -p >{state}"],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_BLOCK_WITHIN_S,
            check=False,
        )
        if done.returncode != 0:
            logs = self.said[-3000:]
            raise Mismatch(f"{command}\nended with {done.returncode}:\n{done.stdout}\n{logs}")
        return done.stdout

    def write(self, block: Block) -> None:
        """Write a file, or find that it is one of the project's and quoted as it is.

        Raises:
            Mismatch: A page quotes a file of the project in other words.
        """
        assert block.file is not None
        original = ROOT / block.file
        if original.is_file():
            _check_quotation(block, original.read_text())
            return
        path = self.folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.translate(block.text))
        self.written[block.file] = block.text

    def look_at(self, command: str) -> None:
        """Check that a command that is not run exists at all.

        Raises:
            Mismatch: It does not.
        """
        words = command.split()
        if words[0] == "./dev" and f"./dev {words[1]}" not in self.run("./dev help"):
            raise Mismatch(f"there is no `./dev {words[1]}`")
        for word in words:
            if word.startswith(("deploy/", "tests/", "examples/")) and not (ROOT / word).exists():
                raise Mismatch(f"{command}: there is no {word}")
        if words[1:2] == ["bench"] and not (ROOT / "bench" / f"{words[2]}.py").is_file():
            raise Mismatch(f"{command}: there is no such measurement")
        if words[1:2] == ["chaos"]:
            self._knows_options(".venv/bin/python tests/chaos/loop.py --help", words)

    def translate(self, text: str) -> str:
        """Return what a page says with the addresses of this machine."""
        for name, value in self.replaced.items():
            text = text.replace(name, value)
        for number, port in self.ports.items():
            text = re.sub(rf"(?<=[: ]){number}\b", str(port), text)
        return text

    def _knows_options(self, ask: str, words: Sequence[str]) -> None:
        told = self.run(ask)
        for word in words:
            if word.startswith("--") and word not in told:
                raise Mismatch(f"{' '.join(words)}: there is no {word}")

    def _start(self, command: str) -> None:
        """Start a command that stays; `_settle` waits for it.

        One that runs already is left alone if nothing has changed since, or else stopped, as
        its port and its folder are taken.
        """
        known = self._settings()
        for server in [server for server in self.servers if server.command == command]:
            if server.known == known:
                return
            server.stop()
            self.servers.remove(server)
        log = self.folder.with_name(f"{self.folder.name}-{len(self.servers)}.log")
        ready = log.with_suffix(".ready")
        ready.unlink(missing_ok=True)
        state = f"'{self._state}'"
        tail = "" if _is_told(command) else f" --ready-file '{ready}'"
        script = f"[ ! -e {state} ] || . {state}; exec {self.translate(command)}{tail}"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", script],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.servers.append(Server(command, known, process, log, ready))

    def _settle(self) -> None:
        """Wait until all that was started is ready."""
        for server in self.servers:
            if not server.is_ready:
                wait_for(server.look, within=_START_WITHIN_S, what=server.command)
            if told := re.search(r"Admin login: admin / (\S+)", server.output):
                self.password = self.password or told[1]

    def _settings(self) -> str:
        """Return all that a command started now would know."""
        state = self._state.read_text() if self._state.exists() else ""
        files = sorted(self.written.items())
        return repr((re.findall(r"TASUKI_.*", state), files))

    def _environment(self) -> Mapping[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("TASUKI_")}
        # The reader's own computer has only what the pages had them set.
        for name in ("PYTHONPATH", "VIRTUAL_ENV"):
            kept.pop(name, None)
        path = f"{self.folder / '.venv' / 'bin'}{os.pathsep}{kept.get('PATH', '')}"
        own = {"PATH": path, "COLUMNS": "100", "TASUKI_WEB__PORT": str(self.ports[8000])}
        return {**kept, **own, **self.env}


def _link(source: str, target: str) -> None:
    """Give a file a second name; copy it where that cannot be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _commands(block: Block) -> list[str]:
    """Cut a block into commands: those that are treated specially alone, the others together."""
    found: list[str] = []
    for line in _whole_lines(block.text):
        is_plain = not _begins(line, [*NOT_RUN, *_STAYING])
        if is_plain and found and not _begins(found[-1], [*NOT_RUN, *_STAYING]):
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found


def _whole_lines(text: str) -> list[str]:
    """Return lines without the remarks of special ones; a backslash holds two together."""
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    special = [*NOT_RUN, *_STAYING]
    return [re.sub(r"\s+#.*", "", line) if _begins(line, special) else line for line in lines]


def _dialogue(block: Block) -> list[tuple[str, str]]:
    """Return each command of a console block with what follows it."""
    found: list[tuple[str, str]] = []
    for line in block.text.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:].rstrip("\n"), ""))
        elif not found:
            raise Mismatch(f"{block.place}: begins with what no command has said")
        elif line.startswith("> ") and not found[-1][1]:
            found[-1] = (f"{found[-1][0]}\n{line[2:].rstrip()}", "")
        else:
            found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def _check_quotation(block: Block, original: str) -> None:
    """Check that a file is quoted as it is; a comment ``# …`` stands for what is left out."""
    rest = original
    for piece in re.split(r"^ *# …\n", block.text.partition("\n")[2], flags=re.MULTILINE):
        _, found, rest = rest.partition(piece)
        if not found:
            raise Mismatch(f"{block.place}: {block.file} has no such lines:\n{piece}")


def _plain(text: str) -> str:
    """Return text without what the width of a terminal makes of it."""
    return re.sub(r"[ \t]+\n", "\n", re.sub(r"[ \t]{2,}", "  ", text)).strip()


def _begins(command: str, beginnings: Sequence[str] | Mapping[str, str]) -> bool:
    return any(re.match(rf"{re.escape(start)}(\s|$)", command) for start in beginnings)


def _is_told(command: str) -> bool:
    """Whether a command says on its output that it is ready."""
    return " up" in command or " uvicorn " in command
