"""Writes a person's request once, and finds out whether it was written if the answer to the COMMIT was lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from services.clients.postgres.deliveries import is_written, note_written
from services.clients.postgres.pool import Connection, Database
from services.domain.errors import Choice, DoneError, OperatorError, OutcomeUnknownError, SourceError

CHECK_S = 5.0  # a person waits for this, after the write's own time


@asynccontextmanager
async def write(
    database: Database, delivery: str | None, *, shown_by: str, timeout_s: float = 10.0
) -> AsyncIterator[Connection]:
    """Open a transaction that is committed at the end. `shown_by`: the command that shows what was written.

    If the answer to the COMMIT is lost: raises DoneError if it was committed and `note_done` was called in it,
    OperatorError if it was not committed, OutcomeUnknownError if that can't be learned. SourceError as `transaction`.
    """
    try:
        async with database.transaction(timeout_s=timeout_s) as conn:
            yield conn
    except SourceError as lost:
        if not lost.outcome_unknown:
            raise
        raise await _find_out(database, delivery, shown_by, lost) from lost


async def note_done(conn: Connection, delivery: str | None, *, shown_by: str) -> None:
    """Record the delivery in the transaction that carries it out. Raises DoneError if an earlier try did it."""
    if delivery is not None and not await note_written(conn, delivery=delivery):
        raise done_before(shown_by)


async def check_not_done(conn: Connection, delivery: str | None, *, shown_by: str) -> None:
    """Call before a refusal that an earlier try may have caused. Raises DoneError if that try did it."""
    if delivery is not None and await is_written(conn, delivery=delivery):
        raise done_before(shown_by)


def done_before(shown_by: str) -> DoneError:
    """The error for a delivery that an earlier try carried out. `shown_by`: the command that shows the result."""
    return _done(shown_by, "the same request was carried out before, and nothing was done twice")


async def _find_out(database: Database, delivery: str | None, shown_by: str, lost: SourceError) -> OperatorError:
    if delivery is not None:
        with suppress(SourceError):
            if await _is_written(database, delivery):
                return _done(shown_by, "the database saved it, and its answer was lost on the way")
            why = f"{lost.source}: {lost.why}, and nothing was saved"
            return OperatorError("It was not done", why=why, what_next=f"Do it again, or check `{shown_by}`.")
    return _unknown(shown_by, lost)


async def _is_written(database: Database, delivery: str) -> bool:
    """True if the delivery was written. Waits for a transaction that is still committing. Raises SourceError."""
    async with database.transaction(timeout_s=CHECK_S) as conn, conn.transaction(force_rollback=True):
        return not await note_written(conn, delivery=delivery)


def _done(shown_by: str, why: str) -> DoneError:
    return DoneError("It was done", why=why, what_next=f"`{shown_by}` shows it.", choices=[Choice(shown_by)])


def _unknown(shown_by: str, lost: SourceError) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        "It is not known whether it was done",
        why=f"{lost.source}: {lost.why}",
        what_next=f"Check `{shown_by}` once the database answers, before you do it again.",
        choices=[Choice(shown_by)],
    )
