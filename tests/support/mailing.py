"""A running application whose mail goes to a mail system that does what a test says."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis.asyncio as redis

from support.client import Client
from support.live import Live, live_settings, running_live
from support.servers import Servers
from support.smtp import Sink, smtp_sink
from support.waiting import wait_until
from tasuki.mail.settings import MailSettings

SEND = "/api/v1/tasks/send-email-celery/"
SEND_LOCAL = "/api/v1/tasks/send-email/"
SEND_BULK = "/api/v1/tasks/send-bulk-email/"


@dataclass
class Post:
    """The application, and the mail system behind it."""

    live: Live
    sink: Sink

    async def writer(self, username: str = "writer", *scopes: str) -> Client:
        """Return somebody who may write to anybody."""
        return await self.live.user(username, scopes=scopes or ("email:any", "email:bulk"))

    async def mail(self, client: Client, accepted: dict[str, Any]) -> dict[str, Any]:
        """Return the record of a mail."""
        answer = await client.get(f"/api/v1/mail/messages/{accepted['mail_id']}")
        assert answer.status_code == 200, answer.text
        record: dict[str, Any] = answer.json()
        return record

    async def hurry(self) -> None:
        """Let what waits for its next try be due now."""
        async with self.live.database.driver() as database:
            await database.execute(
                "UPDATE tasks SET available_at = now() "
                "WHERE name LIKE 'mail.%' AND state IN ('retrying', 'scheduled')"
            )
            await database.execute(
                "UPDATE mails SET due_at = now() WHERE state IN ('queued', 'deferred')"
            )

    async def batch(self, client: Client, batch_id: str) -> dict[str, Any]:
        """Return a batch's numbers."""
        answer = await client.get(f"/api/v1/batches/{batch_id}")
        assert answer.status_code == 200, answer.text
        record: dict[str, Any] = answer.json()
        return record

    async def finished(self, client: Client, batch_id: str) -> dict[str, Any]:
        """Work until a sending is over; return its numbers."""

        async def look() -> dict[str, Any] | None:
            await self.hurry()
            await self.live.work("email")
            record = await self.batch(client, batch_id)
            return record if record["finished_at"] else None

        found = await wait_until(look, within=20, what=f"the end of {batch_id}")
        assert found is not None
        return found

    async def recipients(self, client: Client, batch_id: str) -> dict[str, dict[str, Any]]:
        """Return the recipients of a sending by address."""
        answer = await client.get(f"/api/v1/mail/batches/{batch_id}/recipients?limit=200")
        assert answer.status_code == 200, answer.text
        return {one["recipient"]: one for one in answer.json()["items"]}


@asynccontextmanager
async def posting(
    database_url: str, redis_url: str, folder: Path, **settings: Any
) -> AsyncGenerator[Post]:
    """Run both while the block runs."""
    async with smtp_sink() as sink:
        mail = MailSettings(
            host="127.0.0.1",
            port=sink.port,
            tls="none",
            **{"from": "Tasuki <tasuki@example.org>", "timeout_s": 1.0, **settings},
        )
        own = live_settings(database_url, redis_url, folder).model_copy(update={"mail": mail})
        async with running_live(own) as live:
            yield Post(live, sink)


@asynccontextmanager
async def posting_on(servers: Servers, folder: Path, **settings: Any) -> AsyncGenerator[Post]:
    """Run both on a database of their own and an empty Valkey while the block runs."""
    database_url = await servers.create_database()
    async with redis.Redis.from_url(servers.redis_url) as client:
        await client.flushall()
    async with posting(database_url, servers.redis_url, folder, **settings) as running:
        yield running
    await servers.drop_database(database_url)
