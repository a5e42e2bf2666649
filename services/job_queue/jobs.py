"""Job handlers, and the outcomes of an attempt at a job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.clients.postgres.pool import Database
from services.clients.postgres.worker import ClaimedJob
from services.domain.errors import SourceError
from services.process import describe_error

Result = Mapping[str, Any]  # JSON-able, stored in `ops.job_queue.result`; holds counts and ids, nothing personal

Handler = Callable[[ClaimedJob, Database], Awaitable[Result]]
"""Does the work of one job. It may run twice for the same job (after a crash between the work and its settling), so a
repetition must have the same result. Raises `UnusableJobError` if no retry can help."""


class UnusableJobError(Exception):
    """The job itself is invalid. The text names the fault and no personal data: it is stored and shown."""


class OutsideError(Exception):
    """An external system that only this job needs failed. The text is stored and shown; the worker is not at fault."""

    def __init__(self, why: str, *, may_retry: bool) -> None:
        super().__init__(why)
        self.may_retry = may_retry


@dataclass(frozen=True)
class Completed:
    result: Result


@dataclass(frozen=True)
class Failed:
    """A failed attempt. `why` holds no personal data. `ours`: a fault of this process or its data, not an outage of the
    database."""

    why: str
    may_retry: bool = True
    ours: bool = True


@dataclass(frozen=True)
class HandedBack:
    """An attempt that stopped halfway and starts again later: because the worker stops, or because nothing can be
    stored now (`why` gives the reason).

    The attempt does not count.
    """

    why: str = ""


Outcome = Completed | Failed | HandedBack


def failure_of(error: Exception) -> Failed | HandedBack:
    """The outcome for an error, with its class and place only: an exception's own text may hold the values of a row.

    A database that accepts no writes fails every job alike, so no job loses an attempt to it.
    """
    if isinstance(error, UnusableJobError):
        return Failed(str(error), may_retry=False)
    if isinstance(error, OutsideError):
        return Failed(str(error), may_retry=error.may_retry, ours=False)
    if isinstance(error, SourceError) and error.takes_no_writes:
        return HandedBack(str(error))
    if isinstance(error, SourceError):
        return Failed(str(error), ours=not error.is_outage)
    return Failed(describe_error(error))


def batch_of(job: ClaimedJob) -> str:
    """The id of the batch that the job is about. Raises UnusableJobError."""
    try:
        return str(UUID(job.payload["batch_id"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UnusableJobError("the payload names no batch_id") from None
