"""An application with Tasuki in it that can be told to die around a commit.

It stands for a project's own web process: its own users, its own transaction. Run as
``python -m chaos.killing_app FD`` on a socket that listens already.
"""

import os
import signal
import sys
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import uvicorn
from fastapi import FastAPI, Header

from chaos import jobs
from tasuki import Tasuki
from tasuki.core.database import Database


@dataclass(frozen=True)
class _User:
    id: int = 1
    is_admin: bool = True


def create_app() -> FastAPI:
    """Return the application."""
    app = FastAPI()
    tasuki = Tasuki()
    tasuki.install(app, current_user=_User)

    @app.post("/order", status_code=202)
    async def order(
        args: dict[str, Any],
        idempotency_key: Annotated[str, Header()],
        die: Literal["before", "after", "never"] = "never",
    ) -> dict[str, str]:
        async with tasuki.services.get(Database).unit_of_work() as session:
            handle = await tasuki.enqueue(
                session, jobs.work, idempotency_key=idempotency_key, **args
            )
            if die == "before":
                os.kill(os.getpid(), signal.SIGKILL)
        if die == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return {"id": str(handle.id)}

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(), fd=int(sys.argv[1]), log_level="warning")
