"""What a handler is, and how an attempt at a job can end."""

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
"""Does the work of one job. It may run twice for the same job (a crash between the work and its settling), so it must
come to the same end when it is repeated. Raises `UnusableJobError` when no repetition can help."""


class UnusableJobError(Exception):
    """The job itself is wrong. The text names the fault and no personal data: it is stored and shown."""


class OutsideError(Exception):
    """A system outside failed that only this job needs. The text is stored and shown; the worker is not at fault."""

    def __init__(self, why: str, *, may_retry: bool) -> None:
        super().__init__(why)
        self.may_retry = may_retry


@dataclass(frozen=True)
class Completed:
    result: Result


@dataclass(frozen=True)
class Failed:
    """`why` holds no personal data. `ours`: a fault of this process or its data, not of the database being away."""

    why: str
    may_retry: bool = True
    ours: bool = True


@dataclass(frozen=True)
class HandedBack:
    """Stopped half-way, and begun again later: because the worker stops, or `why` gives the reason nothing can be
    stored now.

    The attempt does not count.
    """

    why: str = ""


Outcome = Completed | Failed | HandedBack


def failure_of(error: Exception) -> Failed | HandedBack:
    """The public part of an error: its class and place. An exception's own text may hold the values of a row.

    A database that takes no writes fails every job alike, so no job loses an attempt to it.
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
    """The batch that the job is about. Raises UnusableJobError."""
    try:
        return str(UUID(job.payload["batch_id"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UnusableJobError("the payload names no batch_id") from None
