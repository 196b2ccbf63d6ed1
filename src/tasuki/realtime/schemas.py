"""The JSON of what operators see of connections."""

from datetime import datetime

from pydantic import BaseModel, Field


class NodeOut(BaseModel):
    """A web process."""

    id: str
    host: str
    pid: int
    started_at: datetime
    connections: int = Field(description="Open sockets and streams.")
    channels: int = Field(description="Channels that these have subscribed to.")
    waiting_bytes: int = Field(description="What waits for clients that do not take it.")
    broker_lag_s: float = Field(
        description="How long a message of Redis is on its way to it, in seconds."
    )


class ConnectionOut(BaseModel):
    """An open socket or stream."""

    id: str
    kind: str = Field(description="websocket, sse or jsonl.")
    user_id: int
    username: str
    address: str = Field(description="Where the client is, as far as the process can see.")
    connected_at: datetime
    channels: list[str]
    waiting_bytes: int


class ChannelOut(BaseModel):
    """A channel that somebody listens to."""

    channel: str
    connections: int


class RealtimeOut(BaseModel):
    """What is connected now, as the processes say that answer within a second."""

    nodes: list[NodeOut]
    channels: list[ChannelOut] = Field(
        description="Those with most connections first; up to 200 of each process."
    )
    connections: list[ConnectionOut] = Field(
        description="The newest first; up to 200 of each process."
    )
