"""Rate limits: the whole allowance at once, more of it with time, and a bounded number of callers remembered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.access import Allowance, _address_of, subscriber_of


def test_allowance_admits_its_limit_and_then_waits() -> None:
    allowance = Allowance(3)

    waits = [allowance.wait_s("a", now=100.0) for _ in range(4)]

    assert waits == [0, 0, 0, pytest.approx(20)]
    assert allowance.wait_s("a", now=119.9) > 0
    assert allowance.wait_s("a", now=120.0) == 0
    assert allowance.wait_s("a", now=120.0) > 0


def test_each_name_has_its_own() -> None:
    allowance = Allowance(1)

    assert [allowance.wait_s(name, now=0.0) for name in ("a", "b", "a")] == [0, 0, pytest.approx(60)]


def test_refused_request_uses_no_allowance() -> None:
    allowance = Allowance(1)
    allowance.wait_s("a", now=0.0)

    for second in range(60):
        assert allowance.wait_s("a", now=float(second)) == pytest.approx(60 - second)

    assert allowance.wait_s("a", now=60.0) == 0


def test_the_least_recent_is_forgotten_first() -> None:
    allowance = Allowance(1, remembered=2)
    for name in ("a", "b", "a", "c"):
        allowance.wait_s(name, now=0.0)

    assert allowance.wait_s("a", now=0.0) > 0
    assert allowance.wait_s("b", now=0.0) == 0


@given(st.integers(1, 50), st.lists(st.floats(0, 5), max_size=200))
def test_never_more_than_two_allowances_in_any_minute(per_minute: int, pauses: list[float]) -> None:
    """The saved allowance, and the one that comes back within the minute."""
    allowance, now, passed = Allowance(per_minute), 0.0, []
    for pause in pauses:
        now += pause
        if allowance.wait_s("a", now) == 0:
            passed.append(now)

    assert all(sum(start <= one < start + 60 for one in passed) <= 2 * per_minute for start in passed)


def scope(peer: str, **headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "client": (peer, 1), "headers": named}


@pytest.mark.parametrize(
    ("peer", "reported", "address"),
    [
        ("100.64.0.7", "203.0.113.9", "203.0.113.9"),
        ("fd12::7", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("8.8.8.8", "203.0.113.9", "8.8.8.8"),
    ],
)
def test_only_a_proxy_of_a_private_network_reports_the_address(peer: str, reported: str, address: str) -> None:
    from starlette.datastructures import Headers

    made = scope(peer, **({"x_real_ip": reported} if reported else {}))

    assert _address_of(made, Headers(scope=made)) == address


@pytest.mark.parametrize(
    ("address", "subscriber"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("203.0.113.9", "203.0.113.9"),
        ("no address", "no address"),
        ("", ""),
    ],
)
def test_one_subscriber_is_one_caller(address: str, subscriber: str) -> None:
    """A provider gives each subscriber 2^64 IPv6 addresses; a new one per request would never be limited."""
    assert subscriber_of(address) == subscriber
