"""The pages behind the link in a sending's mail, for people who have no account here."""

from html import escape
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from tasuki.core.errors import NotFound
from tasuki.mail.suppressions.links import PATH, UnsubscribeLinks
from tasuki.mail.suppressions.service import SuppressionService
from tasuki.web.depends import DbSession, provided

router = APIRouter(tags=["mail"])

Links = Annotated[UnsubscribeLinks, provided(UnsubscribeLinks)]
_ROUTE = f"{PATH}{{token}}"
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>{title}</title>
<link rel="stylesheet" href="/ui/css/plain.css">
</head>
<body><main><h1>{title}</h1>{body}</main></body>
</html>
"""


@router.get(_ROUTE, response_class=HTMLResponse)
async def show_unsubscribe(links: Links, token: str) -> HTMLResponse:
    """Show a page that asks. Nothing is changed: programs that check mails follow links."""
    try:
        address = await links.read(token)
    except NotFound as exc:
        return _not_found(exc)
    return _page(
        "No more of these mails?",
        f"<p>We will send no more mails like this one to<br><b>{escape(address)}</b></p>"
        '<form method="post"><button>Unsubscribe</button></form>',
    )


@router.post(_ROUTE, response_class=HTMLResponse)
async def unsubscribe(
    links: Links,
    session: DbSession,
    suppressions: Annotated[SuppressionService, provided(SuppressionService)],
    token: str,
) -> HTMLResponse:
    """Send this address no more of what is sent to many (RFC 8058). Twice is fine.

    It needs no session, and takes no notice of one: whoever has the link got the mail.
    """
    try:
        address = await links.read(token)
    except NotFound as exc:
        return _not_found(exc)
    await suppressions.unsubscribe(session, address)
    return _page(
        "You are unsubscribed", f"<p><b>{escape(address)}</b><br>gets no more of these.</p>"
    )


def _not_found(exc: NotFound) -> HTMLResponse:
    return _page(
        "This link does not work", f"<p>{escape(exc.detail)}</p>", status=HTTPStatus.NOT_FOUND
    )


def _page(title: str, body: str, *, status: HTTPStatus = HTTPStatus.OK) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(title=title, body=body), status, headers=_HEADERS)
