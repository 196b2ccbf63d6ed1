"""Single mails over HTTP: order one on either lane, see what became of it."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from tasuki.mail.records import MailHandle, MailState, Words
from tasuki.mail.schemas import (
    HtmlMailOrder,
    MailAccepted,
    MailOrder,
    MailOut,
    PreviewOrder,
    PreviewOut,
    TemplateOut,
)
from tasuki.mail.service import MailService
from tasuki.mail.templates import TemplateFailed, Templates
from tasuki.tasks.callers import owner_filter, read_id
from tasuki.tasks.states import Lane
from tasuki.web.audit import Auditor
from tasuki.web.depends import (
    CurrentUser,
    DbSession,
    IdempotencyKey,
    body_instead_of_query,
    provided,
)
from tasuki.web.paging import Cursor, Limit, Page, next_cursor
from tasuki.web.principal import Principal
from tasuki.web.problem import ProblemRoute

router = APIRouter(tags=["mail"], route_class=ProblemRoute)

Mails = Annotated[MailService, provided(MailService)]
Forms = Annotated[Templates, provided(Templates)]
_BEFORE: dict[int | str, dict[str, Any]] = {
    200: {"model": MailAccepted, "description": "Ordered before, with this key."}
}
_EXAMPLE = {"to_email": "you@example.org", "subject": "Hello", "content": "…"}


@router.post(
    "/tasks/send-email/",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[Depends(body_instead_of_query(example=_EXAMPLE))],
    responses=_BEFORE,
)
async def send_email(
    user: CurrentUser,
    session: DbSession,
    mails: Mails,
    templates: Forms,
    order: MailOrder,
    response: Response,
    key: IdempotencyKey = None,
) -> MailAccepted:
    """Order one mail, sent by this web process. Watch the task at `Location`.

    Without further rights only to your own, verified address.
    """
    words = Words(subject=order.subject, html=None, text=order.content)
    if order.template is not None:
        words = templates.words(order.template, subject=order.subject, content=order.content)
    handle = await _order(mails, session, user, order.to_email, words, lane="local", key=key)
    return _accepted(handle, response)


@router.post(
    "/tasks/send-email-celery/",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[
        Depends(body_instead_of_query(example={**_EXAMPLE, "html_content": "<p>…</p>"}))
    ],
    responses=_BEFORE,
)
async def send_email_celery(
    user: CurrentUser,
    session: DbSession,
    mails: Mails,
    order: HtmlMailOrder,
    response: Response,
    key: IdempotencyKey = None,
) -> MailAccepted:
    """Order one mail, sent by a Celery worker. Watch the task at `Location`.

    Without further rights only to your own, verified address.
    """
    words = Words(subject=order.subject, html=order.html_content, text=order.text_content)
    handle = await _order(mails, session, user, order.to_email, words, lane="io", key=key)
    return _accepted(handle, response)


@router.get("/mail/messages")
async def list_mails(
    user: CurrentUser,
    session: DbSession,
    mails: Mails,
    state: Annotated[MailState | None, Query(description="Only those in this state.")] = None,
    single: Annotated[bool, Query(description="Only those that belong to no sending.")] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[MailOut]:
    """List your mails, the newest first; an admin sees those of everybody."""
    found = await mails.page(
        session,
        owner_id=owner_filter(user),
        state=state,
        single=single,
        before=read_id(cursor),
        limit=limit + 1,
    )
    return Page(
        items=[MailOut.model_validate(record) for record in found[:limit]],
        next=next_cursor(found, limit, lambda one: one.id),
    )


@router.get("/mail/messages/{mail_id}")
async def get_mail(
    user: CurrentUser,
    session: DbSession,
    mails: Mails,
    audit: Annotated[Auditor, provided(Auditor)],
    mail_id: UUID,
) -> MailOut:
    """Show what became of a mail."""
    record = await mails.get(session, mail_id, owner_id=owner_filter(user))
    if record.owner_id != user.id:
        await audit.note(session, user, "mail.read", f"mail:{mail_id}")
    return MailOut.model_validate(record)


@router.get("/mail/templates")
async def list_templates(_: CurrentUser, templates: Forms) -> list[TemplateOut]:
    """List the templates there are, and what each wants to be given."""
    return await asyncio.to_thread(
        lambda: [_described(templates, one) for one in templates.names()]
    )


@router.post("/mail/templates/{name}/preview")
async def preview_template(
    _: CurrentUser, templates: Forms, name: str, given: PreviewOrder
) -> PreviewOut:
    """Show what a mail with this template says; nothing is sent."""
    words = await asyncio.to_thread(
        templates.words, name, subject=given.subject, content=given.content
    )
    return PreviewOut(subject=words.subject, html=words.html, text=words.text)


def _described(templates: Templates, name: str) -> TemplateOut:
    try:
        return TemplateOut(name=name, variables=templates.variables(name), problem=None)
    except TemplateFailed as exc:
        return TemplateOut(name=name, variables=[], problem=exc.detail)


async def _order(
    mails: MailService,
    session: DbSession,
    user: Principal,
    to: str,
    words: Words,
    *,
    lane: Lane,
    key: str | None,
) -> MailHandle:
    await mails.admit(session, user, to, idempotency_key=key)
    return await mails.order(
        session,
        to=to,
        subject=words.subject,
        html=words.html,
        text=words.text,
        owner_id=user.id,
        lane=lane,
        idempotency_key=key,
    )


def _accepted(handle: MailHandle, response: Response) -> MailAccepted:
    if not handle.is_new:
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = f"/api/v1/tasks/{handle.task_id}"
    return MailAccepted(task_id=handle.task_id, mail_id=handle.id)
