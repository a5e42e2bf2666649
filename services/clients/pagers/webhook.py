"""Sends pages to pagers of any kind over HTTPS, and pings a monitor."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from services.clients.pagers.formats import PagerKind
from services.clients.tls import trusted_authorities
from services.domain.errors import SourceError
from services.domain.notifications import Page, PageEvent, redacted_page
from services.domain.secrets import Secret

_TRY_AGAIN = frozenset({408, 425, 429})  # and every 5xx; PagerDuty asks to repeat 429 and 5xx, but no other 4xx
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Webhooks:
    """HTTPS calls to pagers and monitors. Connects at the first call; `aclose` disconnects.

    Proxy environment variables apply only to other machines.
    """

    def __init__(self, *, timeout_s: float = 5.0) -> None:
        self._timeout_s = timeout_s
        direct = {f"all://{host}": httpx.AsyncHTTPTransport(verify=trusted_authorities()) for host in _LOOPBACK}
        self._http = httpx.AsyncClient(
            timeout=timeout_s, follow_redirects=False, mounts=direct, verify=trusted_authorities()
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def page(self, pager: PagerKind, page: Page) -> None:
        """Send the page, or its acknowledgement or resolution. Raises SourceError("pager", …).

        The receiver recognizes a repetition by the `Idempotency-Key` header, and events of the same page by their key.
        """
        page = redacted_page(page)
        again = page.key if page.event is PageEvent.TRIGGERED else f"{page.key}:{page.event}"
        await self._call("pager", "POST", pager.url, pager.event(page), {"Idempotency-Key": quote(again, safe=":")})

    async def ping(self, url: Secret) -> None:
        """Report to a monitor that all is well: an empty GET, which all accept. Raises SourceError("monitor", …)."""
        await self._call("monitor", "GET", url, None, {})

    async def _call(
        self, source: str, method: str, url: Secret, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):  # httpx limits each read, not the whole call
                async with self._http.stream(method, url.reveal(), json=body, headers=headers) as answer:
                    status = answer.status_code  # the pager has processed the page by then; the body does not matter
        except TimeoutError:
            raise _lost(source, f"no answer within {self._timeout_s:g} s") from None
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise SourceError(source, "not reachable", retryable=True) from None
        except httpx.InvalidURL:
            raise SourceError(source, "its address cannot be used") from None
        except httpx.HTTPError as error:
            raise _lost(source, f"the answer was lost ({type(error).__name__})") from None
        if not 200 <= status < 300:
            raise _refused(source, status)


def _lost(source: str, why: str) -> SourceError:
    return SourceError(source, why, retryable=True, outcome_unknown=True)


def _refused(source: str, status: int) -> SourceError:
    later = status >= 500 or status in _TRY_AGAIN
    why = f"refused ({status})" if status != 429 else "too many calls (429)"
    return SourceError(source, why, retryable=later, outcome_unknown=status >= 500, http_status=status)
