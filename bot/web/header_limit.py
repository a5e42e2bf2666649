"""Closes connections that do not say in time what they want: uvicorn itself waits for a request's headers for ever."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_WITHIN_S = 10.0  # Slack and Railway send theirs in one packet


class HeaderLimitedProtocol(H11Protocol):
    """Counts from the connection on, and from the first byte of each further request on it. What a request's body takes
    is its reader's business; how long an idle connection stays is uvicorn's (`timeout_keep_alive`)."""

    headers_within_s = HEADERS_WITHIN_S
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._waits_for_headers():
            self._end()
        elif self._limit is None:
            self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def _begin(self) -> None:
        self._limit = self.loop.call_later(self.headers_within_s, self._close)

    def _end(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _close(self) -> None:
        self._limit = None
        if self._waits_for_headers():
            self.transport.close()

    def _waits_for_headers(self) -> bool:
        return self.conn.their_state is h11.IDLE
