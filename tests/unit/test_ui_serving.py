"""How the console reaches a browser: addresses, media types, caching, and what its files hold."""

import re
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

import tasuki.ui
from tasuki.ui import PAGES, mount_console
from tasuki.web.middleware import SecurityHeaders
from tasuki.web.problem import status_response

STATIC = Path(tasuki.ui.__file__).parent / "static"
FILES = sorted(str(file.relative_to(STATIC)) for file in STATIC.rglob("*") if file.is_file())
SCRIPTS = [name for name in FILES if name.endswith(".js")]
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


async def _as_problem(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    return status_response(exc)


@pytest.fixture
async def web() -> AsyncGenerator[httpx.AsyncClient]:
    """A client of an application that has nothing but the console."""
    app = FastAPI(docs_url=None, redoc_url=None)
    app.add_exception_handler(HTTPException, _as_problem)
    mount_console(app)
    app.add_middleware(SecurityHeaders)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://tasuki.example") as client:
        yield client


@pytest.mark.parametrize("page", PAGES)
async def test_every_address_of_the_console_answers_with_its_page(
    web: httpx.AsyncClient, page: str
) -> None:
    """A link to a task, from a mail or a colleague, must open."""
    answer = await web.get(page.replace("{id}", "01939f2e-0000-7000-8000-000000000000"))

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src" not in answer.headers["content-security-policy"]  # default-src counts
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert '<div id="app">' in answer.text


@pytest.mark.parametrize("name", FILES)
async def test_every_file_has_its_media_type_and_is_asked_for_again(
    web: httpx.AsyncClient, name: str
) -> None:
    """Browsers run no script of a wrong type, and must not keep one from the release before."""
    answer = await web.get(f"/ui/{name}")
    again = await web.get(f"/ui/{name}", headers={"If-None-Match": answer.headers["etag"]})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == MEDIA_TYPES[Path(name).suffix]
    assert answer.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


async def test_an_etag_names_the_content_not_the_time(tmp_path: Path) -> None:
    """Files of an installed package all have the same time; releases must differ all the same."""
    etags = []
    for text in ("var a = 1;", "var b = 2;"):
        (tmp_path / "app.js").write_text(text)
        (tmp_path / "app.js").touch()
        files = tasuki.ui.console._ConsoleFiles(directory=tmp_path)
        transport = httpx.ASGITransport(app=files)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            etags.append((await client.get("/app.js")).headers["etag"])

    assert etags[0] != etags[1]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/ui/nothing.js",
        "/ui/",
        "/ui/../console.py",
        "/ui/%2e%2e/console.py",
        "/tasks/",
    ],
)
async def test_other_addresses_stay_problems(web: httpx.AsyncClient, path: str) -> None:
    """A wrong address of the API must not be answered with a page and 200."""
    answer = await web.get(path, follow_redirects=False)

    assert answer.status_code in {307, 404}
    if answer.status_code == 404:
        assert answer.headers["content-type"] == "application/problem+json"


async def test_the_page_names_every_script_and_style_there_is() -> None:
    """A script that is not named is found only when another imports it: one round trip each."""
    page = (STATIC / "index.html").read_text()
    named = set(re.findall(r'(?:href|src)="/ui/([^"]+)"', page))

    alone = {"css/plain.css"}  # of pages for people without an account
    assert {name for name in FILES if name.endswith((".js", ".css"))} - alone == {
        name for name in named if not name.endswith(".svg")
    }
    assert named <= set(FILES)


async def test_the_preview_of_a_mail_has_a_policy_of_its_own(web: httpx.AsyncClient) -> None:
    """It shows the styles of mails and nothing else; a cached page with another is not shown."""
    first = await web.get("/ui/preview.html")
    again = await web.get("/ui/preview.html", headers={"If-None-Match": first.headers["etag"]})

    for answer, status in ((first, 200), (again, 304)):
        policy = answer.headers["content-security-policy"]
        assert answer.status_code == status
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'self'" in policy


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_makes_markup_or_code_of_text(name: str) -> None:
    """What users write is shown as text; these are all the ways in which it could be more."""
    script = (STATIC / name).read_text()
    ways = (
        r"innerHTML\s*=|outerHTML\s*=|insertAdjacentHTML|document\.write|DOMParser|setHTML"
        r"|\beval\(|new Function"
    )

    assert re.findall(ways, script) == []


def test_the_page_has_no_code_or_style_of_its_own() -> None:
    """The policy would refuse it, and the page would be broken."""
    page = (STATIC / "index.html").read_text()

    assert re.findall(r"<style|style=|\son\w+=|<script>", page) == []


def test_the_server_and_the_browser_know_the_same_addresses() -> None:
    """An address that only one of them knows cannot be reloaded, or shows nothing."""
    app = (STATIC / "app.js").read_text()
    routes = re.findall(r'\["(/[^"]*)", ', app)

    assert tuple(re.sub(r":(\w+)", r"{\1}", route) for route in routes) == PAGES


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".js", ".css"))])
def test_every_file_can_be_read_in_one_go(name: str) -> None:
    """Small files are the reason that no build step is needed to understand them."""
    assert len((STATIC / name).read_text().splitlines()) <= 400
