"""The stream of publications over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from tasuki.core.errors import ValidationFailed
from tasuki.realtime.callers import check_channels
from tasuki.realtime.formats import MOST_CHANNELS, JsonLines, ServerSentEvents, read_places
from tasuki.realtime.stream import LiveStream
from tasuki.web.depends import StreamUser, registry_of
from tasuki.web.late import LateResponse, LateRoute

router = APIRouter(prefix="/events", tags=["events"], route_class=LateRoute)

_JSON_LINES = "application/jsonl"
_STREAM = {
    "content": {
        "text/event-stream": {"schema": {"type": "string"}},
        _JSON_LINES: {"schema": {"type": "string"}},
    },
    "description": "A stream that goes on until you leave; see the channels' events.",
}


@router.get("/stream", responses={200: _STREAM}, response_class=Response)
async def stream(
    request: Request,
    user: StreamUser,
    channel: Annotated[list[str] | None, Query(description="Up to 16; yours if none.")] = None,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
    last_id: Annotated[str | None, Query(alias="last_event_id")] = None,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """Follow channels live. `Last-Event-ID` goes on where you were, in all of them.

    Without a channel you follow `system` and what concerns you. `event: reset` names the
    channels whose history does not reach back to where you were: load their state anew.
    """
    channels = tuple(sorted(set(channel or ("system", f"user:{user.id}"))))
    if len(channels) > MOST_CHANNELS:
        message = f"at most {MOST_CHANNELS} channels; open another stream for more"
        raise ValidationFailed(message, errors=[{"loc": ["query", "channel"], "msg": message}])
    services = registry_of(request)
    await check_channels(user, channels, services)
    since = read_places(last_event_id or last_id, channels)
    kind = JsonLines if _JSON_LINES in accept else ServerSentEvents
    return LateResponse(LiveStream(user, kind(channels), since, services=services))
