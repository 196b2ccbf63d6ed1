"""Sendings over HTTP: order one, see each recipient, pause and go on.

How far it is, live, and cancelling are those of any batch: `/api/v1/batches/{id}`.
"""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from tasuki.mail.records import MailState, Sending, Words
from tasuki.mail.sendings.schemas import (
    ChunkOut,
    RecipientOut,
    SendingAccepted,
    SendingOrder,
    SendingOut,
    SkippedOut,
)
from tasuki.mail.sendings.service import SendingService, refuse
from tasuki.tasks.batches import BatchService
from tasuki.tasks.callers import owner_filter, read_id
from tasuki.web.audit import Auditor
from tasuki.web.depends import (
    CurrentUser,
    DbSession,
    IdempotencyKey,
    body_instead_of_query,
    provided,
)
from tasuki.web.links import LinkBase
from tasuki.web.paging import Cursor, Limit, Page, next_cursor
from tasuki.web.principal import Principal
from tasuki.web.problem import ProblemRoute

router = APIRouter(tags=["mail"], route_class=ProblemRoute)

Sendings = Annotated[SendingService, provided(SendingService)]
Batches = Annotated[BatchService, provided(BatchService)]
Audit = Annotated[Auditor, provided(Auditor)]
_EXAMPLE = {"email_list": ["you@example.org"], "subject": "Hello", "html_content": "<p>…</p>"}


@router.post(
    "/tasks/send-bulk-email/",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[Depends(body_instead_of_query(example=_EXAMPLE))],
    responses={200: {"model": SendingAccepted, "description": "Ordered before, with this key."}},
)
async def send_bulk_email(
    user: CurrentUser,
    session: DbSession,
    sendings: Sendings,
    order: SendingOrder,
    link_base: LinkBase,
    response: Response,
    key: IdempotencyKey = None,
) -> SendingAccepted:
    """Send the same to many; needs the scope `email:bulk`. All is ordered, or nothing.

    Each mail has a link by which its reader is written to no more by such sendings.
    """
    sendings.admit(user)
    recipients, faults = await sendings.check(order.email_list)
    if not order.skip_faulty:
        refuse(faults)
    words = Words(subject=order.subject, html=order.html_content, text=order.text_content)
    handle = await sendings.order(
        session,
        recipients,
        words,
        owner_id=user.id,
        link_base=link_base,
        idempotency_key=key,
    )
    if not handle.is_new:
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = f"/api/v1/batches/{handle.id}"
    return SendingAccepted(
        batch_id=handle.id,
        total=len(handle.tasks),
        tasks=[ChunkOut(email=email, task_id=task_id) for email, task_id in handle.tasks],
        skipped=[
            SkippedOut(index=fault.index, email=fault.email, why=fault.why) for fault in faults
        ],
    )


@router.get("/mail/batches")
async def list_sendings(
    user: CurrentUser,
    session: DbSession,
    sendings: Sendings,
    batches: Batches,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[SendingOut]:
    """List your sendings, the newest first; an admin sees those of everybody."""
    found = await sendings.page(
        session, owner_id=owner_filter(user), before=read_id(cursor), limit=limit + 1
    )
    return Page(
        items=[await _out(session, batches, sending) for sending in found[:limit]],
        next=next_cursor(found, limit, lambda one: one.id),
    )


@router.get("/mail/batches/{batch_id}")
async def get_sending(
    user: CurrentUser,
    session: DbSession,
    sendings: Sendings,
    batches: Batches,
    audit: Audit,
    batch_id: UUID,
) -> SendingOut:
    """Show a sending, and how far it is."""
    sending = await _find(session, sendings, user, audit, batch_id, "read")
    return await _out(session, batches, sending)


@router.get("/mail/batches/{batch_id}/recipients")
async def list_recipients(
    user: CurrentUser,
    session: DbSession,
    sendings: Sendings,
    audit: Audit,
    batch_id: UUID,
    state: Annotated[MailState | None, Query(description="Only those in this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[RecipientOut]:
    """List those a sending goes to, in the order they were given."""
    await _find(session, sendings, user, audit, batch_id, "read")
    found = await sendings.recipients(
        session, batch_id, state=state, after=read_id(cursor), limit=limit + 1
    )
    return Page(
        items=[RecipientOut.of(recipient) for recipient in found[:limit]],
        next=next_cursor(found, limit, lambda one: one.id),
    )


@router.post("/mail/batches/{batch_id}/pause", status_code=HTTPStatus.ACCEPTED)
async def pause_sending(
    user: CurrentUser,
    session: DbSession,
    sendings: Sendings,
    batches: Batches,
    audit: Audit,
    batch_id: UUID,
) -> SendingOut:
    """Hand over no more of its mails; those on their way go on."""
    await _find(session, sendings, user, audit, batch_id, "pause")
    await sendings.pause(session, batch_id)
    return await _out(session, batches, await sendings.get(session, batch_id, owner_id=None))


@router.post("/mail/batches/{batch_id}/resume", status_code=HTTPStatus.ACCEPTED)
async def resume_sending(
    user: CurrentUser,
    session: DbSession,
    sendings: Sendings,
    batches: Batches,
    audit: Audit,
    batch_id: UUID,
) -> SendingOut:
    """Let a paused sending go on."""
    await _find(session, sendings, user, audit, batch_id, "resume")
    await sendings.resume(session, batch_id)
    return await _out(session, batches, await sendings.get(session, batch_id, owner_id=None))


async def _find(
    session: DbSession,
    sendings: SendingService,
    user: Principal,
    audit: Auditor,
    batch_id: UUID,
    deed: str,
) -> Sending:
    """Return a sending the caller may touch; an admin's use of another's is written down."""
    sending = await sendings.get(session, batch_id, owner_id=owner_filter(user))
    if sending.owner_id != user.id:
        await audit.note(session, user, f"sending.{deed}", f"batch:{batch_id}")
    return sending


async def _out(session: DbSession, batches: BatchService, sending: Sending) -> SendingOut:
    return SendingOut.of(sending, await batches.get(session, sending.id, owner_id=None))
