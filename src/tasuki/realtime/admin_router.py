"""Who is connected, over HTTP, for admins."""

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query

from tasuki.realtime.nodes import Nodes
from tasuki.realtime.schemas import ChannelOut, RealtimeOut
from tasuki.web.audit import Auditor
from tasuki.web.depends import AdminUser, DbSession, provided
from tasuki.web.problem import ProblemRoute

router = APIRouter(prefix="/admin/realtime", tags=["admin"], route_class=ProblemRoute)


@router.get("")
async def show_connections(
    _: AdminUser,
    nodes: Annotated[Nodes, provided(Nodes)],
    username: Annotated[str | None, Query(description="Only this user's connections.")] = None,
    channel: Annotated[str | None, Query(description="Only a channel's connections.")] = None,
) -> RealtimeOut:
    """Show web processes, channels and connections, as they are now."""
    told = await nodes.ask(user=username, channel=channel)
    heard: Counter[str] = Counter()
    for one in told:
        heard.update(one.channels)
    connections = [connection for one in told for connection in one.connections]
    return RealtimeOut(
        nodes=sorted((one.node for one in told), key=lambda node: (node.host, node.pid)),
        channels=[
            ChannelOut(channel=name, connections=count) for name, count in heard.most_common()
        ],
        connections=sorted(connections, key=lambda one: one.connected_at, reverse=True),
    )


@router.delete("/connections/{connection_id}", status_code=204)
async def end_connection(
    connection_id: str,
    user: AdminUser,
    session: DbSession,
    nodes: Annotated[Nodes, provided(Nodes)],
    auditor: Annotated[Auditor, provided(Auditor)],
) -> None:
    """End a connection. A client that may come back does so by itself."""
    await nodes.kick(connection_id)
    await auditor.note(session, user, "connection.end", f"connection:{connection_id}")
