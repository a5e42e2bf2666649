"""Asks a source within a time limit: its answer, or the reason why there is none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from services.domain.errors import OperatorError, SourceError, Unavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Sources:
    """Asks sources with a time limit per call; keeps cancelled calls until they have ended."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._late: set[asyncio.Task[Any]] = set()

    async def ask(self, source: str, call: Coroutine[Any, Any, T]) -> T | Unavailable:
        """Return the call's value, or the reason why there is none. Returns at the time limit, never raises.

        `asyncio.timeout` would wait until the cancelled call has cleaned up, which takes seconds on a frozen server.
        """
        task = asyncio.create_task(call)
        task.add_done_callback(_retrieve_error)
        try:
            await asyncio.wait({task}, timeout=self._timeout_s)
        finally:
            if not task.done():
                self._abandon(task)
        if not task.done():
            return Unavailable(source, f"no answer within {self._timeout_s:g} s", is_outage=True)
        return _result(source, task)

    async def close(self) -> None:
        """Wait until the calls that exceeded their time limit have ended."""
        await asyncio.gather(*self._late, return_exceptions=True)

    def _abandon(self, task: asyncio.Task[Any]) -> None:
        task.cancel()
        self._late.add(task)
        task.add_done_callback(self._late.discard)


def _retrieve_error(task: asyncio.Task[Any]) -> None:
    """Retrieve the error: asyncio logs an error that is never retrieved, as when the caller was cancelled meanwhile."""
    if not task.cancelled():
        task.exception()


def _result(source: str, task: asyncio.Task[T]) -> T | Unavailable:
    try:
        return task.result()
    except SourceError as error:
        return Unavailable(error.source, error.why, error.http_status, is_outage=error.is_outage)
    except OperatorError as error:
        return Unavailable(source, error.why)
    except Exception as error:  # a bug in one source must not lose the answers of the others
        # Log only the class and the place: the message may hold a value.
        logger.error("asking %s failed: %s at %s", source, type(error).__name__, _place(error))  # noqa: TRY400
        return Unavailable(source, f"its answer could not be understood ({type(error).__name__})")


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "?" if trace is None else f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
