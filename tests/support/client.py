"""An HTTP client that speaks to a running system as one of its users."""

from typing import Any
from uuid import UUID

import httpx

from support.system import ADMIN_PASSWORD
from support.waiting import wait_until

TERMINAL = {"succeeded", "failed", "cancelled", "timed_out", "crashed", "expired"}


class Client(httpx.AsyncClient):
    """Signs in and orders tasks."""

    async def sign_in(self, username: str = "admin", password: str = ADMIN_PASSWORD) -> "Client":
        """Sign in; the cookie stays with the client."""
        answer = await self.post(
            "/api/v1/auth/login", json={"username": username, "password": password}
        )
        assert answer.status_code == 200, answer.text
        return self

    async def order(self, name: str, **args: Any) -> str:
        """Order a task and return its id."""
        return str((await self.order_with(name, args))["id"])

    async def order_with(self, name: str, args: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Order a task with options and return its record."""
        answer = await self.post("/api/v1/tasks", json={"name": name, "args": args, **options})
        assert answer.status_code == 202, answer.text
        record: dict[str, Any] = answer.json()
        return record

    async def task(self, task_id: str | UUID) -> dict[str, Any]:
        """Return a task's record."""
        answer = await self.get(f"/api/v1/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        record: dict[str, Any] = answer.json()
        return record

    async def ended(self, task_id: str | UUID, *, within: float = 20) -> dict[str, Any]:
        """Wait until a task has ended and return its record."""

        async def look() -> dict[str, Any] | None:
            record = await self.task(task_id)
            return record if record["state"] in TERMINAL else None

        found = await wait_until(look, within=within, what=f"the end of {task_id}")
        assert found is not None
        return found

    async def in_state(self, task_id: str, state: str, *, within: float = 20) -> dict[str, Any]:
        """Wait until a task is in a state and return its record."""

        async def look() -> dict[str, Any] | None:
            record = await self.task(task_id)
            return record if record["state"] == state else None

        found = await wait_until(look, within=within, what=f"{task_id} {state}")
        assert found is not None
        return found

    async def new_user(self, username: str, *, scopes: tuple[str, ...] = ()) -> int:
        """Make a user, as an admin, with the password that all test users have."""
        answer = await self.post(
            "/api/v1/users",
            json={
                "username": username,
                "email": f"{username}@example.org",
                "password": ADMIN_PASSWORD,
                "scopes": list(scopes),
            },
        )
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])
