"""SQL of handing over: hold, mark, end, recover.

Each method is one statement in its own transaction, so each either happened or did not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from tasuki.core.database import Database
from tasuki.core.jsontext import dump
from tasuki.mail.handing import statements
from tasuki.mail.records import Held, MailEnd, MailRecord, MailState, Words
from tasuki.mail.repository import find_mail, find_words

LEFT_UNKNOWN = "The process that handed it over was lost at the last moment (RFC 1047)."
_MOST = 1_000  # messages of one look at those whose task is over


@dataclass(frozen=True, kw_only=True, slots=True)
class ChunkNumbers:
    """Where the messages of a chunk are.

    Attributes:
        due_in_s: When the next of those that wait is due; none: none waits.
    """

    total: int
    waiting: int
    sent: int
    failed: int
    suppressed: int
    unknown: int
    cancelled: int
    due_in_s: float | None
    is_paused: bool


class HandingRepository:
    """The statements by which messages change while they are handed over."""

    def __init__(self, database: Database, *, retention_s: float, retry_for_s: float) -> None:
        self._database = database
        self._retention_s = retention_s
        self._retry_for_s = retry_for_s

    async def hold(self, mail_id: UUID, *, token: UUID, task_id: UUID) -> Held | MailState | None:
        """Take hold of a message; none: it cannot be sent any more.

        Returns:
            What is to be sent, or ``suppressed``.
        """
        rows = await self._run(
            statements.HOLD_ONE,
            id=mail_id,
            token=token,
            task_id=task_id,
            retention_s=self._retention_s,
            retry_for_s=self._retry_for_s,
        )
        if not rows:
            return None
        return _held(rows[0]) or "suppressed"

    async def leave_unknown(self, mail_id: UUID) -> None:
        """Note that nobody knows of a message, if it is one of which nobody will."""
        await self._run(
            statements.LEAVE_UNKNOWN,
            id=mail_id,
            answer=LEFT_UNKNOWN,
            retention_s=self._retention_s,
        )

    async def find(self, mail_id: UUID) -> MailRecord | None:
        """Return a message's record."""
        async with self._database.unit_of_work() as session:
            return await find_mail(session, mail_id)

    async def words(self, mail_id: UUID) -> Words:
        """Return what a message says."""
        async with self._database.unit_of_work() as session:
            return await find_words(session, mail_id)

    async def take_up(self, batch_id: UUID, chunk: int, *, task_id: UUID) -> None:
        """Begin anew with what another task of this chunk failed at; its replay does so."""
        given: dict[str, Any] = {
            "batch_id": batch_id,
            "chunk": chunk,
            "task_id": task_id,
            "retention_s": self._retention_s,
            "retry_for_s": self._retry_for_s,
        }
        await self._run(statements.TAKE_UP_FAILED, **given, state="failed")
        await self._run(statements.TAKE_UP_CANCELLED, **given, state="cancelled")

    async def recover(self, batch_id: UUID, chunk: int, *, token: UUID) -> None:
        """Decide about what an earlier run of a chunk left on its way."""
        await self._run(
            statements.RECOVER,
            batch_id=batch_id,
            chunk=chunk,
            token=token,
            answer=LEFT_UNKNOWN,
            retention_s=self._retention_s,
        )

    async def hold_many(
        self, batch_id: UUID, chunk: int, *, token: UUID, most: int
    ) -> tuple[list[Held], int]:
        """Take hold of messages of a chunk that are due, unless it is paused.

        Returns:
            What is to be sent, and how many were found suppressed beside.
        """
        rows = await self._run(
            statements.HOLD_MANY,
            batch_id=batch_id,
            chunk=chunk,
            token=token,
            most=most,
            retention_s=self._retention_s,
        )
        held = [one for row in rows if (one := _held(row))]
        return held, len(rows) - len(held)

    async def mark(self, held: Sequence[Held]) -> set[UUID]:
        """Note that the contents are about to leave; return those that are still held."""
        rows = await self._run(
            statements.MARK, ids=[one.id for one in held], tokens=[one.token for one in held]
        )
        return {row["id"] for row in rows}

    async def end(self, ends: Sequence[MailEnd]) -> tuple[set[UUID], bool]:
        """Write what became of attempts, all in one transaction.

        Returns:
            The sendings whose numbers are others now, and whether one of them is over with
            something that follows.
        """
        given = [
            {
                "id": str(end.id),
                "token": str(end.token),
                "state": end.state,
                "answer": end.answer,
                "pause_s": end.pause_s,
                "is_address_fault": end.is_address_fault,
            }
            for end in ends
        ]
        rows = await self._run(statements.END, ends=dump(given), retention_s=self._retention_s)
        sendings = {row["batch_id"] for row in rows if row["batch_id"] is not None}
        return sendings, any(row["next_id"] is not None for row in rows)

    async def numbers(self, batch_id: UUID, chunk: int) -> ChunkNumbers:
        """Return where the messages of a chunk are."""
        rows = await self._run(statements.CHUNK, batch_id=batch_id, chunk=chunk)
        return ChunkNumbers(**rows[0])

    async def take_pace(self, messages: int, *, per_s: float) -> float:
        """Take a share of what may be sent in all processes; return in how many seconds."""
        rows = await self._run(statements.TAKE_PACE, messages=messages, per_s=per_s)
        return max(0.0, float(rows[0]["wait_s"]))

    async def end_orphans(self) -> set[UUID]:
        """End messages whose task is over without them; return the sendings it changed."""
        changed: set[UUID] = set()
        for statement in (statements.END_WAITING_ORPHANS, statements.END_HELD_ORPHANS):
            found = _MOST
            while found == _MOST:
                rows = await self._run(
                    statement, most=_MOST, answer=LEFT_UNKNOWN, retention_s=self._retention_s
                )
                changed |= {row["batch_id"] for row in rows if row["batch_id"] is not None}
                found = rows[0]["found"] if rows else 0
        return changed

    async def purge(self, *, most: int) -> int:
        """Forget messages whose retention is over; return how many."""
        rows = await self._run(statements.PURGE, most=most)
        return int(rows[0]["deleted"])

    async def _run(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        rows = await self._database.run(_prepared(statement), parameters)
        return [dict(row) for row in rows]


@cache
def _prepared(statement: str) -> TextClause:
    return text(statement)


def _held(row: dict[str, Any]) -> Held | None:
    if row["state"] != "sending":
        return None
    return Held(**{name: row[name] for name in Held.__dataclass_fields__})
