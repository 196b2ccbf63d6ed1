"""Hashes passwords and checks them, two at a time (Argon2id, RFC 9106).

A hash is dear on purpose, for an attacker and for us: 46 MiB and about a tenth of a second.
What follows from that is here: a bound on how many run at once, a bound on how many wait,
and the same price for users that do not exist.
"""

import asyncio
import base64
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tasuki.accounts.rules import normal_password
from tasuki.core.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")

# OWASP ASVS 5.0, appendix C. The library's defaults take three times as long and 64 MiB:
# a login would be a way to take the machine down.
_MEMORY_KIB = 47_104
_PASSES = 1
_LANES = 1

_AT_ONCE = 2
_MOST_WAITING = 64  # about four seconds of work; who comes later is told so at once
_RETRY_AFTER_S = 5


class Passwords:
    """Makes and checks password hashes in two threads of its own, one instance a process."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES
        )
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")
        self._under_way = 0
        self._nobodys_hash = _hash_of_nothing()

    async def hash(self, password: str) -> str:
        """Return a fresh hash, parameters and salt included.

        Raises:
            Unavailable: Too many others are waiting.
        """
        return await self._in_thread(self._hasher.hash, normal_password(password))

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether a password is the one that was hashed.

        Args:
            password_hash: None: there is nobody to compare with. That takes as long as a
                real check, so that an answer's time does not tell who exists.

        Raises:
            Unavailable: Too many others are waiting.
        """
        is_right = await self._in_thread(
            self._check, password_hash or self._nobodys_hash, normal_password(password)
        )
        return is_right and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _check(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        if self._under_way >= _AT_ONCE + _MOST_WAITING:
            raise Unavailable("Too many sign-ins at this moment.", retry_after_s=_RETRY_AFTER_S)
        self._under_way += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, lambda: work(*args, **kwargs))
        finally:
            self._under_way -= 1


def _hash_of_nothing() -> str:
    """Return a well-formed hash that no password has, without the work of making one."""
    salt, digest = (base64.b64encode(os.urandom(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p={_LANES}${salt}${digest}"
