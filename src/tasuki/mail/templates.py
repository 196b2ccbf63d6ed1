"""Makes the words of a mail from a template, by name (Jinja2).

Who writes templates works on the project; who calls gives values only, and a value is never
read as a template. The sandbox keeps a template from what is not its own: no attribute that
begins with an underscore, nothing changed, `range` within limits, no file outside the folders,
and no more than a mail may have. It does not keep one from taking its time: a template that
counts for an hour does so.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import (
    ChoiceLoader,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateSyntaxError,
    nodes,
)
from jinja2.exceptions import TemplateError, UndefinedError
from jinja2.meta import find_referenced_templates, find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tasuki.core.errors import TasukiError, ValidationFailed
from tasuki.mail.message import MAX_BODY, as_text
from tasuki.mail.records import Words

_OURS = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_FAULTS = (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class TemplateFailed(TasukiError):
    """A template cannot be used as it is written; the detail names its file and line."""

    code = "template_failed"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    title = "A template of mail is broken"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """What a mail says.

    Attributes:
        subject: None where the template has no opinion.
        html: None where the template is text only.
    """

    subject: str | None
    html: str | None
    text: str


class Templates:
    """Templates by name: up to three files, ``NAME.subject.txt``, ``NAME.html``, ``NAME.txt``.

    Without ``NAME.txt`` the text is made of the HTML. A file whose name begins with an
    underscore is a piece of others.

    Args:
        folder: The project's own. Its files win: a name it has, in HTML or text, is its own
            altogether, but for the subject, which may still be ours.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folders = [folder, _OURS] if folder is not None else [_OURS]
        self._loader = ChoiceLoader([FileSystemLoader(one) for one in self._folders])
        self._environment = ImmutableSandboxedEnvironment(
            loader=self._loader,
            autoescape=lambda name: bool(name and name.endswith(".html")),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def names(self) -> list[str]:
        """Return the names there are, in order."""
        files = [file for folder in self._folders for file in folder.iterdir()]
        return sorted(
            {
                file.stem
                for file in files
                if file.suffix in {".html", ".txt"} and _NAME.fullmatch(file.stem)
            }
        )

    def variables(self, name: str) -> list[str]:
        """Return the names of the values that a template may ask for, but for ``language``.

        Raises:
            ValidationFailed: There is no such template.
            TemplateFailed: The template itself is wrong.
        """
        home = self._home(name)
        own = [home / f"{name}.html", home / f"{name}.txt"]
        subjects = [folder / f"{name}.subject.txt" for folder in self._folders]
        wanted: set[str] = set()
        for file in [*own, *subjects]:
            if file.is_file():
                wanted |= self._asked_for(file.name, seen=set())
        return sorted(wanted - {"language"})

    def render(self, name: str, values: Mapping[str, Any]) -> Rendered:
        """Return what a template says with these values.

        Args:
            values: JSON. ``language`` is ``en`` unless it is among them; ours know ``ja`` too.

        Raises:
            ValidationFailed: There is no such template, or a value is missing or no JSON.
            TemplateFailed: The template itself is wrong.
        """
        home = self._home(name)
        known = {"language": "en", **_plain(values)}
        html = self._part(home, f"{name}.html", known)
        text = self._part(home, f"{name}.txt", known)
        subject = self._subject(name, known)
        return Rendered(
            subject=subject, html=html, text=text if text is not None else as_text(html or "")
        )

    def words(self, name: str, *, subject: str, content: str) -> Words:
        """Return a mail in which a template puts somebody's text into a form.

        Args:
            subject: Given to the template, and used where it has none of its own.
            content: Given to the template; plain text.

        Raises:
            ValidationFailed: There is no such template, or it wants other values.
            TemplateFailed: The template itself is wrong.
        """
        made = self.render(name, {"subject": subject, "content": content})
        return Words(subject=made.subject or subject, html=made.html, text=made.text)

    def _asked_for(self, file: str, *, seen: set[str]) -> set[str]:
        """Return what a file and those it stands on ask for."""
        seen.add(file)
        try:
            source = self._loader.get_source(self._environment, file)[0]
            tree = self._environment.parse(source, filename=file)
        except TemplateError as exc:
            raise TemplateFailed(f"template {_place(file, exc)}: {exc}") from exc
        wanted = find_undeclared_variables(tree) - _made_in(tree)
        for other in find_referenced_templates(tree):
            if other is not None and other not in seen:
                wanted |= self._asked_for(other, seen=seen)
        return wanted

    def _home(self, name: str) -> Path:
        """Return the folder that a template's words are in."""
        if _NAME.fullmatch(name):
            for folder in self._folders:
                if any((folder / f"{name}{kind}").is_file() for kind in (".html", ".txt")):
                    return folder
        raise ValidationFailed(
            f"there is no template {name[:64]!r}; there are {', '.join(self.names())}"
        )

    def _subject(self, name: str, values: Mapping[str, Any]) -> str | None:
        for folder in self._folders:
            subject = self._part(folder, f"{name}.subject.txt", values)
            if subject is not None:
                return subject.strip()
        return None

    def _part(self, folder: Path, file: str, values: Mapping[str, Any]) -> str | None:
        if not (folder / file).is_file():
            return None
        try:
            return _bounded(self._environment.get_template(file), values)
        except UndefinedError as exc:
            raise ValidationFailed(f"template {_place(file, exc)}: {exc}") from exc
        except (*_FAULTS, RecursionError) as exc:
            raise TemplateFailed(f"template {_place(file, exc)}: {exc}") from exc


def _made_in(tree: nodes.Template) -> set[str]:
    """Return the names that a file makes itself; Jinja looks for them anew in each block."""
    made = {one.name for one in tree.find_all(nodes.Name) if one.ctx == "store"}
    made |= {one.name for one in tree.find_all(nodes.Macro)}
    made |= {one.target for one in tree.find_all(nodes.Import)}
    for found in tree.find_all(nodes.FromImport):
        made |= {one if isinstance(one, str) else one[1] for one in found.names}
    return made


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as JSON has them: nothing else reaches a template, `Markup` neither."""
    try:
        text = json.dumps(dict(values), ensure_ascii=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as exc:
        raise ValidationFailed(f"the values of a template are JSON: {exc}") from exc
    if size > MAX_BODY:
        raise ValidationFailed(f"the values of a template have at most {MAX_BODY} bytes")
    plain: dict[str, Any] = json.loads(text)
    return plain


def _bounded(template: Template, values: Mapping[str, Any]) -> str:
    parts, size = [], 0
    for part in template.generate(values):
        size += len(part)
        if size > MAX_BODY:
            msg = f"it makes more than {MAX_BODY} characters"
            raise ValueError(msg)
        parts.append(part)
    return "".join(parts)


def _place(file: str, exc: BaseException) -> str:
    """Return the file and line of a fault; Jinja writes both into the traceback."""
    if isinstance(exc, TemplateSyntaxError):
        return f"{exc.name or file}, line {exc.lineno}"
    place, trace = file, exc.__traceback__
    while trace is not None:
        where = Path(trace.tb_frame.f_code.co_filename)
        if where.suffix in {".html", ".txt"}:
            place = f"{where.name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place
