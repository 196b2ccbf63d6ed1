"""Which callers count as one address."""

import pytest

from tasuki.accounts.limits.counting import _network


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::9", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        (None, "", True),
        (None, "192.0.2.1", False),
        ("testclient", "testclient", True),
    ],
)
def test_an_ipv6_caller_is_its_network(one: str | None, other: str | None, *, same: bool) -> None:
    """Everybody with IPv6 has 2^64 addresses of their own; they count as one."""
    assert (_network(one) == _network(other)) is same
