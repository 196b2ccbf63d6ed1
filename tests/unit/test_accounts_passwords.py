"""Hashing passwords: how many at once, what it costs, and that a hash comes back."""

import asyncio
import threading
from collections.abc import AsyncGenerator

import pytest

from support.waiting import wait_until
from tasuki.accounts import Passwords
from tasuki.core.errors import Unavailable


@pytest.fixture
async def passwords() -> AsyncGenerator[Passwords]:
    made = Passwords()
    yield made
    made.close()


class HeldPasswords(Passwords):
    """Checks that wait for a sign, and count how many run."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = threading.Event()
        self.running = 0
        self.most_running = 0
        self._lock = threading.Lock()

    def _check(self, password_hash: str, password: str) -> bool:
        with self._lock:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        self.may_go_on.wait(10)
        with self._lock:
            self.running -= 1
        return password_hash == password


async def test_a_password_fits_its_hash_and_no_other(passwords: Passwords) -> None:
    """Also where the keyboard of one system composes letters and that of another does not."""
    made = await passwords.hash("か\u3099くせい2026")

    assert made.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert await passwords.verify("がくせい２０２６", made)
    assert not await passwords.verify("がくせい2025", made)
    assert not passwords.is_outdated(made)
    assert await passwords.hash("がくせい2026") != made, "every hash has a salt of its own"


async def test_nobody_has_no_password(passwords: Passwords) -> None:
    """The check that is made for show never succeeds."""
    for password in ("", "password", "None"):
        assert await passwords.verify(password, None) is False


@pytest.mark.parametrize("stored", ["garbage", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv"])
async def test_a_hash_that_is_none_fits_nothing(passwords: Passwords, stored: str) -> None:
    """A damaged row refuses one sign-in and breaks nothing."""
    assert await passwords.verify("password", stored) is False


async def test_the_check_for_show_is_a_real_one(passwords: Passwords) -> None:
    """It goes through the same function with the same parameters, or time would tell."""
    assert not passwords.is_outdated(passwords._nobodys_hash)
    before = passwords._nobodys_hash
    assert Passwords()._nobodys_hash != before


async def test_two_are_checked_at_once_and_the_waiting_are_bounded() -> None:
    """Sign-ins can neither fill the memory nor queue up for minutes; who is too many is told."""
    passwords = HeldPasswords()
    taken = [asyncio.create_task(passwords.verify("x", "x")) for _ in range(66)]

    async def two_run() -> bool:
        return passwords.running == 2

    await wait_until(two_run, within=5)
    with pytest.raises(Unavailable) as refused:
        await passwords.verify("x", "x")
    passwords.may_go_on.set()

    assert await asyncio.gather(*taken) == [True] * 66
    assert passwords.most_running == 2
    assert refused.value.retry_after_s is not None
    assert await passwords.verify("x", "x"), "there is room again"
    passwords.close()
