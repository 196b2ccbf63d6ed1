"""The own address over HTTP: have a link sent, and bring it back."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tasuki.mail.verifying.service import VerificationService
from tasuki.web.depends import CurrentUser, DbSession, provided
from tasuki.web.links import LinkBase, MailLanguage
from tasuki.web.problem import ProblemRoute

router = APIRouter(prefix="/mail", tags=["mail"], route_class=ProblemRoute)

Verifications = Annotated[VerificationService, provided(VerificationService)]


class VerificationSent(BaseModel):
    """A link is on its way."""

    address: str = Field(description="Where to look for it.")


class VerificationIn(BaseModel):
    """What stands in the link."""

    model_config = ConfigDict(extra="forbid")

    token: SecretStr = Field(max_length=200)


@router.post("/verification", status_code=HTTPStatus.ACCEPTED)
async def send_link(
    user: CurrentUser,
    session: DbSession,
    verifications: Verifications,
    base: LinkBase,
    language: MailLanguage,
) -> VerificationSent:
    """Have a link sent to your own address. It works once, for a day; an earlier one is void."""
    address = await verifications.send(session, user.id, base=base, language=language)
    return VerificationSent(address=address)


@router.post("/verify", status_code=HTTPStatus.NO_CONTENT)
async def verify(session: DbSession, verifications: Verifications, body: VerificationIn) -> None:
    """Show by the link that you read the address; nobody needs to be signed in."""
    await verifications.verify(session, body.token.get_secret_value())
