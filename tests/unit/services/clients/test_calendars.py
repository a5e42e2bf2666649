"""The download of calendars: HTTPS, public addresses and bounds only; no error repeats the address."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Sequence

import httpx
import pytest

from services.clients.calendars import CalendarClient, is_public
from services.domain.errors import SourceError
from services.domain.secrets import Secret

URL = Secret("https://calendar.example/private-3f9a/basic.ics")
LARGEST = 1024
Handle = Callable[[httpx.Request], httpx.Response]


def answering(status: int = 200, content: bytes = b"BEGIN:VCALENDAR", **headers: str) -> Handle:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _request: httpx.Response(status, content=content, headers=named)


def client(handle: Handle, addresses: Sequence[str] = ("93.184.216.34",), timeout_s: float = 5.0) -> CalendarClient:
    async def resolve(host: str, port: int) -> Sequence[str]:
        assert (host, port) == ("calendar.example", 443)
        return addresses

    return CalendarClient(largest=LARGEST, timeout_s=timeout_s, transport=httpx.MockTransport(handle), resolve=resolve)


async def problem(fetching: CalendarClient, url: Secret = URL) -> tuple[str, bool]:
    with pytest.raises(SourceError) as refused:
        await fetching.fetch(url)
    assert "3f9a" not in str(refused.value)
    assert "example" not in refused.value.why
    return refused.value.why, refused.value.retryable


async def test_calendar_client_connects_to_the_checked_address_with_the_host_name() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b"x" * LARGEST)

    assert await client(handle).fetch(URL) == b"x" * LARGEST
    [request] = seen
    assert str(request.url) == "https://93.184.216.34/private-3f9a/basic.ics"
    assert request.headers["host"] == "calendar.example"
    assert request.extensions["sni_hostname"] == "calendar.example"
    assert request.headers["accept-encoding"] == "identity"


async def test_the_next_address_is_tried_where_one_is_not_reachable() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.host != "1.1.1.1":
            raise httpx.ConnectError("unreachable")
        return httpx.Response(200, content=b"fine")

    assert await client(handle, ("2606:4700::1111", "1.1.1.1")).fetch(URL) == b"fine"
    assert await problem(client(handle, ("1.0.0.1",))) == ("is not reachable (ConnectError)", True)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        *((private, False) for private in ("127.0.0.1", "10.0.0.8", "172.16.0.1", "192.168.1.1", "169.254.169.254")),
        *((private, False) for private in ("0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255")),  # noqa: S104
        *((private, False) for private in ("::1", "fd12::8", "fe80::1%eth0", "ff02::1", "::ffff:10.0.0.8")),
        *((private, False) for private in ("64:ff9b::a00:8", "2002:a00:8::1", "2001:0:a00:8::1", "::10.0.0.8")),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_a_host_with_a_private_address_is_never_called() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    for addresses in (["10.0.0.8"], ["93.184.216.34", "10.0.0.8"], []):
        why, later = await problem(client(handle, addresses))
        assert (why, later) == ("its host has an address that is not public", False)
    assert await problem(client(handle), Secret("http://calendar.example/3f9a")) == (
        "its address is not an https address",
        False,
    )


async def test_a_literal_private_address_is_never_called() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    fetching = CalendarClient(largest=LARGEST, transport=httpx.MockTransport(handle))  # the real resolver

    for host in ("127.0.0.1", "[::1]", "0x7f000001", "2130706433"):
        assert await problem(fetching, Secret(f"https://{host}/3f9a.ics")) == (
            "its host has an address that is not public",
            False,
        )


@pytest.mark.parametrize(
    ("handle", "expected"),
    [
        (answering(404), ("refused (404)", False)),
        (answering(503), ("refused (503)", True)),
        (answering(429), ("refused (429)", True)),
        (answering(302, location="https://10.0.0.8/"), ("its address redirects to another one: set that one", False)),
        (answering(content=b"x" * (LARGEST + 1)), ("is larger than 1 KiB", False)),
        (
            answering(200, gzip.compress(b"x" * LARGEST), content_encoding="gzip"),
            ("is sent compressed, which was not requested", False),
        ),
    ],
)
async def test_calendar_error_says_why_and_whether_a_retry_may_help(handle: Handle, expected: tuple[str, bool]) -> None:
    assert await problem(client(handle)) == expected


async def test_a_slow_or_endless_answer_ends_at_the_limit() -> None:
    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    slow = client(lambda _request: httpx.Response(200, content=drip()), timeout_s=0.05)

    assert await problem(slow) == ("no answer within 0.05 s", True)


async def test_an_unknown_host_may_pass() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such host: calendar.example")

    assert await problem(CalendarClient(largest=LARGEST, resolve=resolve)) == ("its host is not known", True)


@pytest.mark.parametrize("url", ["https://a..example/3f9a", "https://xn--/3f9a", "https://a.example/3f9a\x01"])
async def test_an_address_that_can_t_be_one_is_no_error_of_another_kind(url: str) -> None:
    fetching = CalendarClient(largest=LARGEST)  # the real resolver

    assert await problem(fetching, Secret(url)) == ("its address is not valid: copy it again", False)
