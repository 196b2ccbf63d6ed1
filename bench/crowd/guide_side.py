"""The guide's connection manager: a dict of rooms, and a loop over the sockets of one."""

import json
import time
from typing import Any

from bench.crowd.message import tick
from bench.crowd.peers import serve
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()


class ConnectionManager:
    """Who is in which room."""

    def __init__(self) -> None:
        self.rooms: dict[str, list[WebSocket]] = {}

    async def connect(self, websocket: WebSocket, room: str) -> None:
        """Let somebody into a room."""
        await websocket.accept()
        self.rooms.setdefault(room, []).append(websocket)

    def disconnect(self, websocket: WebSocket, room: str) -> None:
        """Forget somebody."""
        self.rooms[room].remove(websocket)

    async def send_to_room(self, room: str, message: dict[str, Any]) -> None:
        """Tell everybody in a room."""
        for websocket in self.rooms[room]:
            await websocket.send_text(json.dumps(message))


manager = ConnectionManager()


@app.websocket("/ws/chat/{room}")
async def chat(websocket: WebSocket, room: str) -> None:
    await manager.connect(websocket, room)
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        manager.disconnect(websocket, room)


@app.post("/publish")
async def publish(count: int, together: int, first: int) -> float:
    del together  # it has no other way
    began = time.monotonic()
    for number in range(first, first + count):
        await manager.send_to_room("all", tick(number))
    return began


if __name__ == "__main__":
    serve(app)
