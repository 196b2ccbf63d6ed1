"""Version 1 of the HTTP interface: mounts every router, and nothing else."""

from typing import Any

from fastapi import APIRouter

from tasuki.accounts.router import router as accounts
from tasuki.activity.router import router as activity
from tasuki.chat.router import router as chat
from tasuki.exports.router import guide as guide_exports
from tasuki.exports.router import router as exports
from tasuki.mail.catching.router import router as caught_mails
from tasuki.mail.router import router as mails
from tasuki.mail.sendings.router import router as sendings
from tasuki.mail.suppressions.router import router as suppressions
from tasuki.mail.verifying.router import router as verifying
from tasuki.notifications.router import router as notifications
from tasuki.realtime.admin_router import router as connections
from tasuki.realtime.router import router as realtime
from tasuki.reports.router import router as reports
from tasuki.tasks.batches.router import router as batches
from tasuki.tasks.observing.router import router as observing
from tasuki.tasks.replays.router import router as replays
from tasuki.tasks.router import router as tasks
from tasuki.tasks.schedules.router import router as schedules
from tasuki.web.problem import Problem, ProblemRoute

_PROBLEM: dict[str, Any] = {
    "model": Problem,
    "content": {"application/problem+json": {}},
}


def build_router(*, with_accounts: bool) -> APIRouter:
    """Return all routes under ``/api/v1``.

    Args:
        with_accounts: Whether Tasuki has its own users; an application with users of its own
            leaves those routes out.
    """
    router = APIRouter(
        prefix="/api/v1",
        route_class=ProblemRoute,
        responses={
            401: {**_PROBLEM, "description": "Nobody is signed in."},
            422: {**_PROBLEM, "description": "The input is invalid."},
        },
    )
    if with_accounts:
        router.include_router(accounts)
        router.include_router(verifying)
    # Before tasks, whose ids would match: `/tasks/failures`, `/tasks/send-email/`.
    for capability in (
        activity,
        reports,
        exports,
        guide_exports,
        mails,
        caught_mails,
        sendings,
        suppressions,
        replays,
        tasks,
        batches,
        schedules,
        observing,
        connections,
        notifications,
        chat,
        realtime,
    ):
        router.include_router(capability)
    return router
