"""HTTP of our servers, with time limits: a connection on which no whole request arrives is closed.

Each held connection takes a file of the process, and those of a stranger must not take all.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_WITHIN_S = 10.0  # Slack, Railway and browsers send theirs in one packet
ANSWERED_BODY_WITHIN_S = 60.0  # senders who write all before they read shall see why a long file was refused


class TimeLimitedProtocol(H11Protocol):
    """Headers are counted from the connection on, and from the first byte of each further request on it; what still
    comes of a body after the answer, from its first byte on. What a body takes before the answer is its reader's
    business; how long a connection stays on which nothing comes is uvicorn's (`timeout_keep_alive`)."""

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
        """Of a request that is answered already."""
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY
