"""Decides who is told what, and keeps every tab's idea of it true.

A notification is a row in somebody's inbox and an event in their channel, both of one
transaction: whoever is there sees it at once, whoever is not finds it later, and neither is
told of something that did not happen.

The number of unread ones is told with every mark. So that it is true, whoever marks waits for
those who tell the same user something, and they for it: in the user's channel each event then
stands where its transaction stands.
"""

from datetime import datetime
from typing import Protocol
from uuid import UUID

from tasuki.core.database import Session
from tasuki.core.errors import NotFound
from tasuki.core.ids import new_id
from tasuki.notifications.channels import SYSTEM, USER, NotificationsRead, NotificationTold
from tasuki.notifications.records import Note, Notification
from tasuki.notifications.repository import NotificationRepository
from tasuki.notifications.settings import NotificationsSettings
from tasuki.realtime.publisher import Publisher

Place = tuple[datetime, UUID]
"""Where a page of an inbox ends: when its last notification was told, and its id."""


class Recipients(Protocol):
    """Knows who can be told something."""

    async def joined_at(self, session: Session, user_id: int) -> datetime | None:
        """Return when a user's account began; none: that is not known here.

        Raises:
            UserNotFound: There is no such user. Where users are not Tasuki's own, nobody is
                refused.
        """
        ...


class NotificationService:
    """Tells users something, and shows them what they were told.

    Each call works within the caller's transaction. Until that ends, marks of the same user
    wait, after a `broadcast` those of all users: tell last in a transaction that takes long.
    """

    def __init__(
        self,
        *,
        settings: NotificationsSettings,
        recipients: Recipients,
        publisher: Publisher,
        repository: NotificationRepository | None = None,
    ) -> None:
        self._settings = settings
        self._recipients = recipients
        self._publisher = publisher
        self._notifications = repository or NotificationRepository()

    async def notify(
        self, session: Session, user_id: int, note: Note, *, notification_id: UUID | None = None
    ) -> Notification:
        """Tell one user something.

        Args:
            notification_id: Telling again under the same id does nothing and returns the
                first; default: a fresh one.

        Raises:
            ValidationFailed: The note is too long, or no JSON.
            UserNotFound: There is no such user.
        """
        note = note.checked()
        await self._recipients.joined_at(session, user_id)
        await self._notifications.hold(session, user_id, alone=False)
        told, is_new = await self._add(session, user_id, note, notification_id or new_id())
        if is_new:
            event = NotificationTold.of(told)
            await self._publisher.publish_in(session, USER.channel(user_id), event)
        return told

    async def broadcast(self, session: Session, note: Note) -> Notification:
        """Tell all users something; those whose accounts begin later are not shown it.

        Raises:
            ValidationFailed: The note is too long, or no JSON.
        """
        note = note.checked()
        await self._notifications.hold(session, None, alone=True)
        told, _ = await self._add(session, None, note, new_id())
        await self._publisher.publish_in(session, SYSTEM.channel(), NotificationTold.of(told))
        return told

    async def inbox(
        self, session: Session, user_id: int, *, before: Place | None, limit: int
    ) -> list[Notification]:
        """Return what a user was told, newest first."""
        since = await self._recipients.joined_at(session, user_id)
        return await self._notifications.page(
            session, user_id, since=since, before=before, limit=limit
        )

    async def unread(self, session: Session, user_id: int) -> int:
        """Return how many of all a user was told they have not read."""
        since = await self._recipients.joined_at(session, user_id)
        return await self._notifications.unread(session, user_id, since=since)

    async def mark_read(self, session: Session, user_id: int, notification_id: UUID) -> None:
        """Note that a user has read something; their tabs are told. Marking twice is fine.

        Raises:
            NotFound: There is no such notification, or it is somebody else's.
        """
        since = await self._hold_for_marks(session, user_id)
        told = await self._notifications.find(session, user_id, notification_id, since=since)
        if told is None:
            raise NotFound(f"There is no notification {notification_id} of yours.")
        if not told.read:
            await self._notifications.mark(session, user_id, told)
            await self._tell_read(session, user_id, since=since, ids=[told.id])

    async def mark_all_read(self, session: Session, user_id: int) -> None:
        """Note that a user has read all there is; their tabs are told."""
        since = await self._hold_for_marks(session, user_id)
        if await self._notifications.unread(session, user_id, since=since):
            await self._notifications.mark_all(session, user_id, since=since)
            await self._tell_read(session, user_id, since=since, ids=None)

    async def delete_old(self, session: Session, *, limit: int) -> int:
        """Delete notifications whose retention is over.

        Returns:
            How many; less than the limit means that none is left.
        """
        return await self._notifications.delete_old(
            session, older_than_s=self._settings.retention_s, limit=limit
        )

    async def _add(
        self, session: Session, user_id: int | None, note: Note, notification_id: UUID
    ) -> tuple[Notification, bool]:
        """Write a row; return what it shows, and whether it is new."""
        created_at, is_new = await self._notifications.add(session, notification_id, user_id, note)
        told = Notification(
            id=notification_id,
            notification_type=note.notification_type,
            title=note.title,
            message=note.message,
            data=note.data,
            created_at=created_at,
            broadcast=user_id is None,
            read=False,
        )
        return told, is_new

    async def _hold_for_marks(self, session: Session, user_id: int) -> datetime | None:
        """Wait for those who tell this user something; return since when they see broadcasts."""
        await self._notifications.hold(session, None, alone=False)
        await self._notifications.hold(session, user_id, alone=True)
        return await self._recipients.joined_at(session, user_id)

    async def _tell_read(
        self, session: Session, user_id: int, *, since: datetime | None, ids: list[UUID] | None
    ) -> None:
        unread = await self._notifications.unread(session, user_id, since=since)
        event = NotificationsRead(ids=ids or [], all=ids is None, unread=unread)
        await self._publisher.publish_in(session, USER.channel(user_id), event)
