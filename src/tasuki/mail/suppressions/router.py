"""Suppressions over HTTP, for admins."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from tasuki.mail.suppressions.schemas import SuppressionIn, SuppressionOut
from tasuki.mail.suppressions.service import SuppressionService
from tasuki.web.audit import Auditor
from tasuki.web.depends import AdminUser, DbSession, provided
from tasuki.web.paging import Cursor, Limit, Page, next_cursor, read_cursor
from tasuki.web.problem import ProblemRoute

router = APIRouter(prefix="/mail/suppressions", tags=["mail"], route_class=ProblemRoute)

Suppressions = Annotated[SuppressionService, provided(SuppressionService)]
Audit = Annotated[Auditor, provided(Auditor)]


@router.get("")
async def list_suppressions(
    _: AdminUser,
    session: DbSession,
    suppressions: Suppressions,
    starts_with: Annotated[str, Query(max_length=320)] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[SuppressionOut]:
    """List the addresses that are written to no more, in their order."""
    after = None if cursor is None else read_cursor(cursor)
    found = await suppressions.page(session, after=after, starts_with=starts_with, limit=limit + 1)
    return Page(
        items=[SuppressionOut.model_validate(one) for one in found[:limit]],
        next=next_cursor(found, limit, lambda one: one.address),
    )


@router.post("", status_code=HTTPStatus.CREATED)
async def add_suppression(
    user: AdminUser,
    session: DbSession,
    suppressions: Suppressions,
    audit: Audit,
    given: SuppressionIn,
) -> SuppressionOut:
    """Write to an address no more. Twice is fine."""
    added = await suppressions.add(session, given.address, detail=given.detail)
    await audit.note(session, user, "suppression.add", added.address)
    return SuppressionOut.model_validate(added)


@router.get("/{address}")
async def get_suppression(
    _: AdminUser, session: DbSession, suppressions: Suppressions, address: str
) -> SuppressionOut:
    """Tell whether, and why, an address is written to no more."""
    return SuppressionOut.model_validate(await suppressions.get(session, address))


@router.delete("/{address}", status_code=HTTPStatus.NO_CONTENT)
async def remove_suppression(
    user: AdminUser,
    session: DbSession,
    suppressions: Suppressions,
    audit: Audit,
    address: str,
) -> Response:
    """Write to an address again."""
    await suppressions.remove(session, address)
    await audit.note(session, user, "suppression.remove", address[:320])
    return Response(status_code=HTTPStatus.NO_CONTENT)
