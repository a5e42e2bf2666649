"""Fetch a calendar from its address: over HTTPS, from public addresses only, within limits of time and size.

The address comes from the bot's environment and is itself a secret: no error repeats it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

import httpx

from services.clients.tls import trusted_authorities
from services.domain.errors import SourceError
from services.domain.secrets import Secret

TIMEOUT_S = 10.0
_TRY_AGAIN = frozenset({408, 425, 429})  # and every 5xx
_PUBLIC_6 = ipaddress.ip_network("2000::/3")

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]  # returns a host's addresses; raises OSError


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return each address of the host once, in the order in which to try them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: str) -> bool:
    """True for an address on the internet: not of this machine, a private network, or a tunnel (6to4, Teredo)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        return ip in _PUBLIC_6 and ip.is_global and ip.sixtofour is None and ip.teredo is None
    return ip.is_global and not ip.is_multicast


class CalendarClient:
    """Fetches calendars, each over a new connection to the address that was checked. Follows no redirect."""

    def __init__(
        self,
        *,
        largest: int,
        timeout_s: float = TIMEOUT_S,
        transport: httpx.AsyncBaseTransport | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        self._largest = largest
        self._timeout_s = timeout_s
        self._transport = transport
        self._resolve = resolve

    async def fetch(self, address: Secret) -> bytes:
        """Return the file, at most `largest` bytes.

        Raises SourceError("calendar", …), `retryable` if a later try may work.
        """
        try:
            url = httpx.URL(address.reveal())
            async with asyncio.timeout(self._timeout_s):
                return await self._fetch(url, await self._checked(url))
        except TimeoutError:
            raise SourceError("calendar", f"no answer within {self._timeout_s:g} s", retryable=True) from None
        except httpx.TransportError as error:
            raise SourceError("calendar", f"is not reachable ({type(error).__name__})", retryable=True) from None
        except httpx.HTTPError as error:
            raise SourceError("calendar", f"can't be fetched ({type(error).__name__})") from None
        except (httpx.InvalidURL, ValueError):  # UnicodeError, raised for an invalid host name, is a ValueError
            raise SourceError("calendar", "its address is not valid: copy it again") from None

    async def _checked(self, url: httpx.URL) -> Sequence[str]:
        """Return the host's addresses. Raises SourceError unless all of them are public."""
        if url.scheme != "https" or not url.host:
            raise SourceError("calendar", "its address is not an https address")
        try:
            addresses = await self._resolve(url.host, url.port or 443)
        except OSError:
            raise SourceError("calendar", "its host is not known", retryable=True) from None
        if not addresses or not all(map(is_public, addresses)):
            raise SourceError("calendar", "its host has an address that is not public")
        return addresses

    async def _fetch(self, url: httpx.URL, addresses: Sequence[str]) -> bytes:
        verify = trusted_authorities()
        async with httpx.AsyncClient(
            timeout=self._timeout_s, verify=verify, trust_env=False, transport=self._transport
        ) as http:
            for address in addresses[:-1]:
                try:
                    return await self._get(http, url, address)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    continue
            return await self._get(http, url, addresses[-1])

    async def _get(self, http: httpx.AsyncClient, url: httpx.URL, address: str) -> bytes:
        """Fetch from one address; the certificate is checked against the host name, not the address."""
        headers = {"Host": url.netloc.decode("ascii"), "Accept": "text/calendar", "Accept-Encoding": "identity"}
        at_address, sni = url.copy_with(host=address), {"sni_hostname": url.host}
        async with http.stream("GET", at_address, headers=headers, extensions=sni) as answer:
            if answer.is_redirect:
                raise SourceError("calendar", "its address redirects to another one: set that one")
            if not answer.is_success:
                later = answer.status_code >= 500 or answer.status_code in _TRY_AGAIN
                raise SourceError("calendar", f"refused ({answer.status_code})", retryable=later)
            if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
                # A compressed answer of a few kB may unpack to many MB before its size is checked.
                raise SourceError("calendar", "is sent compressed, which was not requested")
            content = bytearray()
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > self._largest:
                    raise SourceError("calendar", f"is larger than {self._largest // 1024} KiB")
            return bytes(content)
