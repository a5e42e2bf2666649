"""Listening sockets: IPv4 and IPv6, as Railway's private network requires, or the one that the machine has."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from services.process import listen
from tests.serving import HAS_IPV6

FAMILIES = ["127.0.0.1", pytest.param("::1", marks=pytest.mark.skipif(not HAS_IPV6, reason="no IPv6 here"))]
Listen = Callable[..., list[socket.socket]]


@pytest.fixture
def opened() -> Iterator[Listen]:
    with ExitStack() as stack:

        def open_all(port: int = 0, address: str | None = None) -> list[socket.socket]:
            listeners = listen(port, address)
            for one in listeners:
                stack.enter_context(one)
            return listeners

        yield open_all


@pytest.mark.parametrize("address", FAMILIES)
def test_listens_on_the_same_port_of_both_families(opened: Listen, address: str) -> None:
    port = opened()[0].getsockname()[1]

    with socket.create_connection((address, port), timeout=30) as caller:
        assert caller.getpeername()[:2] == (address, port)


def test_an_ipv4_caller_keeps_an_ipv4_address(opened: Listen) -> None:
    """One socket for both families would show ::ffff:127.0.0.1, another address to rate limits and proxies."""
    first = opened()[0]

    with socket.create_connection(("127.0.0.1", first.getsockname()[1]), timeout=30):
        connection, caller = first.accept()

    connection.close()
    assert caller[0] == "127.0.0.1"


@pytest.mark.parametrize("code", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_a_machine_without_ipv6_still_listens(opened: Listen, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    _refuse_ipv6(monkeypatch, code)

    assert [one.family for one in opened()] == [socket.AF_INET]


def test_a_port_that_is_taken_is_an_error_on_either_family(opened: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    port = opened()[0].getsockname()[1]
    with pytest.raises(OSError, match="in use"):
        listen(port)

    _refuse_ipv6(monkeypatch, errno.EADDRINUSE)
    with pytest.raises(OSError, match="in use"):
        listen(0)


@pytest.mark.parametrize("address", FAMILIES)
def test_the_process_listens_on_the_one_address_that_is_set(opened: Listen, address: str) -> None:
    assert [one.getsockname()[0] for one in opened(0, address)] == [address]


def _refuse_ipv6(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Fail as the kernel of a machine without IPv6 does."""
    real = socket.create_server

    def create(address: tuple[str, int], *, family: int, backlog: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(code, "in use" if code == errno.EADDRINUSE else "not here")
        return real(address, family=family, backlog=backlog)

    monkeypatch.setattr(socket, "create_server", create)
