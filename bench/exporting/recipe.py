"""The common recipe: an asynchronous session's stream, the csv module, a `yield` a row."""

import csv
import io
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from tasuki.accounts.models import UserRow

engine = create_async_engine(
    os.environ["TASUKI_DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://")
)
app = FastAPI()


@app.get("/users")
async def users(limit: int) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        columns = (UserRow.id, UserRow.username, UserRow.name, UserRow.email, UserRow.created_at)
        async with AsyncSession(engine) as session:
            rows = await session.stream(select(*columns).order_by(UserRow.id).limit(limit))
            async for row in rows:
                writer.writerow(row)
                yield buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()

    return StreamingResponse(lines(), media_type="text/csv")
