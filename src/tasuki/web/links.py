"""Where a mail's reader reaches this system, and in which language they are written to."""

from typing import Annotated

from fastapi import Depends, Header, Request

from tasuki.web.depends import provided
from tasuki.web.settings import WebSettings


def _link_base(request: Request, web: Annotated[WebSettings, provided(WebSettings)]) -> str:
    return web.public_url or str(request.base_url)


LinkBase = Annotated[str, Depends(_link_base)]
"""What the links of a mail begin with: the public URL, or else where this request came to."""


def _language(
    accept_language: Annotated[str, Header(description="`ja`: the mail is Japanese.")] = "",
) -> str:
    return "ja" if accept_language.lower().startswith("ja") else "en"


MailLanguage = Annotated[str, Depends(_language)]
"""`ja` where the browser asks for it first, else `en`."""
