"""All of accounts over HTTP: ``/auth`` for everybody, ``/users`` for admins."""

from fastapi import APIRouter

from tasuki.accounts.auth_router import auth_router
from tasuki.accounts.users_router import users_router
from tasuki.web.problem import ProblemRoute

router = APIRouter(route_class=ProblemRoute)
router.include_router(auth_router)
router.include_router(users_router)
