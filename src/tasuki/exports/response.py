"""The response that is an export: begun when there are rows, broken off when they break off.

What is sent is read from the file that the export is written to. Nothing is said in the body when
rows fail to come: the response ends without its last chunk, which every client notices.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

from starlette.types import Receive, Scope, Send

from tasuki.exports.forms import Form
from tasuki.exports.query import ExportQuery
from tasuki.exports.service import ExportService, Production
from tasuki.web.downloads import disposition, file_response
from tasuki.web.principal import Principal

_PIECE_BYTES = 262_144


class ExportResponse:
    """One download; an ASGI application for one request.

    Args:
        name: What the file is called; none: it is shown, not saved.
    """

    def __init__(
        self,
        exports: ExportService,
        user: Principal,
        query: ExportQuery,
        form: Form,
        *,
        name: str | None,
    ) -> None:
        self._exports = exports
        self._user = user
        self._query = query
        self._form = form
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the rows until all are sent, the client leaves, or there are no more to come.

        Raises:
            TasukiError: Before anything was sent: why there is nothing. After that the server
                breaks the connection.
        """
        del scope
        await _while_there(self._respond(send), receive)

    async def _respond(self, send: Send) -> None:
        production = await self._exports.begin(self._user, self._query, self._form)
        try:
            await send(self._head(production))
            await _send_all(production, send)
        finally:
            self._exports.leave(production)

    def _head(self, production: Production) -> dict[str, Any]:
        headers = {
            "content-type": self._form.media_type,
            "cache-control": "no-store",
            "vary": "Accept-Encoding",
            "etag": f'"{production.run_id.hex}"',
            "x-export-id": str(production.run_id),
            "content-location": f"/api/v1/exports/runs/{production.run_id}/file",
        }
        if self._form.encoding != "identity":
            headers["content-encoding"] = self._form.encoding
        if self._name is not None:
            headers["content-disposition"] = disposition(self._name)
        return {
            "type": "http.response.start",
            "status": 200,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }


class FileResponse:
    """The file of an earlier download, or ranges of it; waits a moment until it is whole."""

    def __init__(self, exports: ExportService, user: Principal, run_id: UUID) -> None:
        self._exports = exports
        self._user = user
        self._run_id = run_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it.

        Raises:
            TasukiError: Before anything was sent: why there is none.
        """
        run, sha256 = await self._exports.whole(self._run_id, user=self._user)
        response = file_response(
            self._exports.folder.path(run.id),
            name=run.form.file_name(run.dataset),
            media_type=run.form.media_type,
            etag=run.id.hex,
            sha256=sha256,
        )
        if run.encoding != "identity":
            response.headers["Content-Encoding"] = run.encoding
        await response(scope, receive, send)


async def _while_there(respond: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Respond for as long as there is a client, who may leave before the first row has come."""
    sending = asyncio.create_task(respond, name="export-send")
    leaving = asyncio.create_task(_gone(receive), name="export-leave")
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
        ended = await asyncio.gather(sending, leaving, return_exceptions=True)
    if isinstance(ended[0], Exception):
        raise ended[0]


async def _send_all(production: Production, send: Send) -> None:
    offset = 0
    while data := await production.spool.read(offset, most=_PIECE_BYTES):
        offset += len(data)
        await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
