"""The inbox of development over HTTP, for admins."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from tasuki.mail.catching.reading import read_letter
from tasuki.mail.catching.schemas import CaughtMailOut, LetterOut, MailSystemOut
from tasuki.mail.catching.service import CaughtMailService
from tasuki.mail.settings import MailSettings
from tasuki.tasks.callers import read_id
from tasuki.web.audit import Auditor
from tasuki.web.depends import AdminUser, CurrentUser, DbSession, provided
from tasuki.web.downloads import disposition
from tasuki.web.paging import Cursor, Limit, Page, next_cursor
from tasuki.web.problem import ProblemRoute

router = APIRouter(prefix="/mail", tags=["mail"], route_class=ProblemRoute)

CaughtMails = Annotated[CaughtMailService, provided(CaughtMailService)]
Audit = Annotated[Auditor, provided(Auditor)]

_RAW: dict[int | str, dict[str, Any]] = {
    200: {"content": {"message/rfc822": {}}, "description": "The message as it came."}
}
_HTML: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {}}, "description": "The mail's HTML, for a frame."}
}
# A stranger's page: it has an origin of its own wherever it is opened, runs nothing, and fetches
# nothing that would tell anybody it was read. A frame's `srcdoc` would inherit the console's own
# policy, under which no mail keeps its styles.
_FRAME_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'"
)
# Links open beside the console, since a frame of it shows nothing of other sites.
_LINKS_OUTSIDE = '<!doctype html><base target="_blank">'


@router.get("/system")
async def mail_system(
    _: CurrentUser, settings: Annotated[MailSettings, provided(MailSettings)]
) -> MailSystemOut:
    """Tell whether mails are delivered, caught, or neither."""
    return MailSystemOut.of(settings)


@router.get("/caught")
async def list_caught(
    _: AdminUser,
    session: DbSession,
    caught: CaughtMails,
    recipient: Annotated[str, Query(max_length=320, description="A part of an address.")] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[CaughtMailOut]:
    """List the mails that were caught and not delivered, the newest first."""
    found = await caught.page(
        session, recipient=recipient, before=read_id(cursor), limit=limit + 1
    )
    return Page(
        items=[CaughtMailOut.model_validate(mail) for mail in found[:limit]],
        next=next_cursor(found, limit, lambda one: one.id),
    )


@router.delete("/caught", status_code=HTTPStatus.NO_CONTENT)
async def clear_caught(
    user: AdminUser, session: DbSession, caught: CaughtMails, audit: Audit
) -> Response:
    """Delete all caught mails."""
    await caught.clear(session)
    await audit.note(session, user, "mail.caught.clear", "mail:caught")
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/caught/{mail_id}")
async def get_caught(
    user: AdminUser, session: DbSession, caught: CaughtMails, audit: Audit, mail_id: UUID
) -> LetterOut:
    """Show a caught mail: its headers, text, HTML and the names of its files."""
    mail, content = await caught.get(session, mail_id)
    await audit.note(session, user, "mail.caught.read", f"mail:{mail_id}")
    return LetterOut.whole(mail, read_letter(content))


@router.get("/caught/{mail_id}/html", response_class=Response, responses=_HTML)
async def get_caught_html(
    user: AdminUser, session: DbSession, caught: CaughtMails, audit: Audit, mail_id: UUID
) -> Response:
    """Show a caught mail's HTML in a frame that runs nothing and fetches nothing."""
    _mail, content = await caught.get(session, mail_id)
    await audit.note(session, user, "mail.caught.read", f"mail:{mail_id}")
    html = read_letter(content).html or ""
    return Response(
        f"{_LINKS_OUTSIDE}{html}",
        media_type="text/html",
        headers={"Content-Security-Policy": _FRAME_POLICY, "Referrer-Policy": "no-referrer"},
    )


@router.get("/caught/{mail_id}/raw", response_class=Response, responses=_RAW)
async def get_caught_raw(
    user: AdminUser, session: DbSession, caught: CaughtMails, audit: Audit, mail_id: UUID
) -> Response:
    """Download a caught mail as it came."""
    _mail, content = await caught.get(session, mail_id)
    await audit.note(session, user, "mail.caught.read", f"mail:{mail_id}")
    return Response(
        content,
        media_type="message/rfc822",
        headers={"Content-Disposition": disposition(f"{mail_id}.eml")},
    )
