"""Decides how API tokens are made, listed and deleted."""

from uuid import UUID

from tasuki.accounts.errors import TooManyTokens, UserNotFound
from tasuki.accounts.records import TokenRecord, credential_key, token_credential
from tasuki.accounts.repository import TokenRepository, UserRepository
from tasuki.accounts.rules import check_name
from tasuki.core.database import Session, after_commit
from tasuki.core.errors import NotFound
from tasuki.core.ids import fingerprint, new_id, new_secret
from tasuki.core.notices import Notices

TOKEN_PREFIX = "tsk_"  # noqa: S105  # it lets scanners find a leaked token; it is not one
MAX_TOKENS = 50
"""Tokens a user may hold at once."""


class TokenService:
    """Keeps API tokens, each call within the caller's transaction."""

    def __init__(
        self,
        *,
        notices: Notices,
        users: UserRepository | None = None,
        tokens: TokenRepository | None = None,
    ) -> None:
        self._notices = notices
        self._users = users or UserRepository()
        self._tokens = tokens or TokenRepository()

    async def create(self, session: Session, user_id: int, *, name: str) -> tuple[UUID, str]:
        """Make a token and return its id and its text, which nobody can ask for again.

        Args:
            name: What it is for, 1 to 200 characters.

        Raises:
            ValidationFailed: The name is not acceptable.
            UserNotFound: There is no such user, or they are disabled.
            TooManyTokens: They hold `MAX_TOKENS` already.
        """
        shown = check_name(name, least=1)
        # Held: two calls at once must not both find room, and a user who is being disabled
        # must not be left with a token.
        if await self._users.hold_enabled(session, user_id) is None:
            raise UserNotFound(user_id)
        if await self._tokens.count(session, user_id) >= MAX_TOKENS:
            raise TooManyTokens(MAX_TOKENS)
        token, token_id = new_secret(TOKEN_PREFIX), new_id()
        await self._tokens.add(
            session,
            {
                "id": token_id,
                "user_id": user_id,
                "name": shown,
                "token_hash": fingerprint(token),
            },
        )
        return token_id, token

    async def of_user(self, session: Session, user_id: int) -> list[TokenRecord]:
        """Return a user's tokens, newest first."""
        return await self._tokens.of_user(session, user_id)

    async def delete(self, session: Session, token_id: UUID, *, user_id: int) -> None:
        """Delete one token of a user; it stops to work at once.

        Raises:
            NotFound: There is none, or it is somebody else's; the two look alike.
        """
        deleted = await self._tokens.delete(session, user_id=user_id, only=token_id)
        if not deleted:
            raise NotFound(f"There is no token {token_id} of yours.")
        self._tell(session, deleted)

    async def delete_all(self, session: Session, user_id: int) -> None:
        """Delete all tokens of a user."""
        self._tell(session, await self._tokens.delete(session, user_id=user_id))

    def _tell(self, session: Session, deleted: list[UUID]) -> None:
        keys = [credential_key(token_credential(token_id)) for token_id in deleted]
        if keys:
            after_commit(session, lambda: self._notices.send(*keys))
