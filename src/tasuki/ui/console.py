"""Serves the console: one page, and the files it is made of. There is no build step.

The page decides in the browser what to show (``static/router.js``), so every address of the
console is answered with the same page. All other addresses stay what they are without it.
"""

import hashlib
from os import PathLike, stat_result
from pathlib import Path

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

PAGES = (
    "/",
    "/tasks",
    "/tasks/{id}",
    "/batches/{id}",
    "/reports/new",
    "/exports",
    "/notifications",
    "/mail",
    "/mail/new",
    "/mail/sendings",
    "/mail/sendings/new",
    "/mail/sendings/{id}",
    "/chat",
    "/chat/{room}",
    "/account",
    "/verify",
    "/admin/queues",
    "/admin/workers",
    "/admin/schedules",
    "/admin/failures",
    "/admin/connections",
    "/admin/announce",
    "/admin/suppressions",
    "/mail/inbox",
    "/mail/inbox/{id}",
)
"""The console's addresses; the same stand in ``static/app.js``."""

_FOLDER = Path(__file__).parent / "static"
_PREVIEW = "preview.html"
# Mails have their styles in them; nothing else of what somebody wrote may act or be fetched.
_PREVIEW_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)


def mount_console(app: FastAPI) -> None:
    """Answer the console's addresses with its page, and ``/ui/…`` with its files."""
    files = _ConsoleFiles(directory=_FOLDER)

    async def page(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    for path in PAGES:
        app.add_route(path, page, methods=["GET"], include_in_schema=False)
    app.mount("/ui", files, name="console-files")


class _ConsoleFiles(StaticFiles):
    """Files with an ETag of what is in them.

    Starlette's own is made of size and time, and files of an installed package all have the
    same time: two releases could share it, and a browser would keep the old file.
    """

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        # The largest file is a few kilobytes; reading it is cheaper than remembering it.
        digest = hashlib.sha256(Path(full_path).read_bytes()).hexdigest()[:32]
        response: Response = FileResponse(
            full_path,
            status_code=status_code,
            stat_result=stat_result,
            headers={"ETag": f'"{digest}"', "Cache-Control": "no-cache"},
        )
        del response.headers["last-modified"]
        if self.is_not_modified(response.headers, Headers(scope=scope)):
            response = NotModifiedResponse(response.headers)
        if Path(full_path).name == _PREVIEW:
            # With "not modified" as well: a browser takes its headers for those of the file.
            response.headers["Content-Security-Policy"] = _PREVIEW_POLICY
        return response
