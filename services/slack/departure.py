"""Lets a call leave in time or not at all: a process that was frozen meanwhile sends nothing when it wakes up."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from types import SimpleNamespace

import aiohttp

from services.domain.errors import SourceError
from services.slack.errors import SOURCE

_LEAVES_BY: ContextVar[float | None] = ContextVar("leaves_by", default=None)


@contextlib.contextmanager
def departing(leaves_by: float | None) -> Iterator[None]:
    """Within this a call may leave until then (time.monotonic()); None: whenever it gets to it."""
    token = _LEAVES_BY.set(leaves_by)
    try:
        yield
    finally:
        _LEAVES_BY.reset(token)


def watch_departures() -> aiohttp.TraceConfig:
    """For a session: checks the moment once there is a connection, the last thing before the bytes leave."""
    config = aiohttp.TraceConfig()
    config.on_connection_create_end.append(_check)
    config.on_connection_reuseconn.append(_check)
    return config


async def _check(_session: aiohttp.ClientSession, _context: SimpleNamespace, _what: object) -> None:
    leaves_by = _LEAVES_BY.get()
    if leaves_by is not None and time.monotonic() >= leaves_by:
        raise SourceError(SOURCE, "the time for sending this was over; it was not sent", retryable=True)
