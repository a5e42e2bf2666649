"""HTTP of our servers, with time limits: a connection on which no complete request arrives is closed.

Each open connection takes one of the process's file descriptors, and strangers must not exhaust them.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_WITHIN_S = 10.0  # Slack, Railway and browsers send their headers in one packet
ANSWERED_BODY_WITHIN_S = 60.0  # so that clients that send all before they read see why a long file was refused


class TimeLimitedProtocol(H11Protocol):
    """Limits the time for headers: from the start of the connection, and from the first byte of each further request.
    Also the time for the rest of a body after the answer, from its first byte on. The body before the answer is its
    reader's business; idle connections are uvicorn's (`timeout_keep_alive`)."""

    headers_within_s = HEADERS_WITHIN_S
    answered_body_within_s = ANSWERED_BODY_WITHIN_S
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin(self.headers_within_s)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_waiting():
            self._end()
        elif self._limit is None:
            self._begin(self.answered_body_within_s if self._waits_for_body() else self.headers_within_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def _begin(self, within_s: float) -> None:
        self._limit = self.loop.call_later(within_s, self._close)

    def _end(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _close(self) -> None:
        self._limit = None
        if self._is_waiting():
            self.transport.close()

    def _is_waiting(self) -> bool:
        return self.conn.their_state is h11.IDLE or self._waits_for_body()

    def _waits_for_body(self) -> bool:
        """True if the request has been answered but its body is still arriving."""
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY
