"""python-socketio on uvicorn, by WebSocket alone."""

import asyncio
import time

import socketio
from bench.crowd.message import SOCKETIO_TEXT
from bench.crowd.peers import serve
from fastapi import FastAPI

_PING_S = 3600  # the clients here answer no pings of its own

_sockets = socketio.AsyncServer(
    async_mode="asgi", transports=["websocket"], ping_interval=_PING_S, ping_timeout=_PING_S
)
_http = FastAPI()


async def _connect(sid: str, _environ: dict[str, object]) -> None:
    await _sockets.enter_room(sid, "all")


_sockets.on("connect", _connect)


@_http.post("/publish")
async def publish(count: int, together: int, first: int) -> float:
    began = time.monotonic()
    for start in range(first, first + count, together):
        numbers = range(start, min(start + together, first + count))
        await asyncio.gather(*(_emit(number) for number in numbers))
    return began


async def _emit(number: int) -> None:
    await _sockets.emit("tick", {"number": number, "text": SOCKETIO_TEXT}, room="all")


if __name__ == "__main__":
    serve(socketio.ASGIApp(_sockets, _http))
