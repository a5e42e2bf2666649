"""Decisions on runs, reviews, emergency self-approval, and requeued jobs.

Typed calls of `sql/operated/requeue.sql`, `sql/queries/approvals.sql`, `sql/queries/lone_starts.sql`,
`sql/queries/reviews.sql`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from services.clients.postgres.audit import list_audit
from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import (
    SQL,
    counts_all_rows,
    fetch_all,
    fetch_one,
    query_of,
    stale_parameters,
)
from services.clients.postgres.runs import read_run, read_steps
from services.domain.jobs import Job, RunningJob
from services.domain.people import Person
from services.domain.runs import Decision, Record, Review, Run, SelfApproval
from services.domain.thresholds import StaleLimits


async def record_decision(
    conn: Connection,
    *,
    run_id: int,
    person: Person,
    approve: bool,
    reason: str,
    plan_hash: str,
    policy_hash: str,
) -> bool:
    """Record a person's decision. True if it counts.

    It counts if the run waits for a decision, has not expired, has this plan, and the person had not decided yet. The
    run stays locked until the transaction ends; a later count of the decisions sees all of them.
    """
    parameters = {
        "run_id": run_id,
        "user_id": person.user_id,
        "team_id": person.team_id,
        "approve": approve,
        "reason": reason,
        "plan_hash": plan_hash,
        "policy_hash": policy_hash,
    }
    return await (await conn.execute(SQL["record_decision"], parameters)).fetchone() is not None


async def lock_run(conn: Connection, run_id: int) -> datetime | None:
    """Lock the run until this transaction ends; return the database's time then. None if there is no such run."""
    row = await (await conn.execute(SQL["lock_run"], {"run_id": run_id})).fetchone()
    return None if row is None else row[0]


async def list_decisions(conn: Connection, run_id: int) -> list[Decision]:
    """List the decisions on the run, oldest first."""
    return await fetch_all(conn, _to_decision, "list_decisions", run_id=run_id)


def _to_decision(*, user_id: str, team_id: str, **columns: Any) -> Decision:
    return Decision(person=Person(user_id, team_id), **columns)


async def page_approvers(conn: Connection, *, run_id: int, incident_id: int, silence: timedelta) -> None:
    """Record that approvers are paged; the request may be self-approved after `silence`.

    Call it in the transaction that files the request and stores the pages.
    """
    parameters = {"run_id": run_id, "incident_id": incident_id, "silence": silence}
    await conn.execute(SQL["page_approvers"], parameters)


async def read_lone_start(conn: Connection, run_id: int) -> SelfApproval | None:
    """Return the self-approval of the run; None for a request that can't be self-approved."""
    return await fetch_one(conn, SelfApproval, "read_lone_start", run_id=run_id)


async def begin_countdown(conn: Connection, *, run_id: int, reason: str, countdown: timedelta) -> datetime | None:
    """Start the countdown of a self-approval and return its end.

    None if one has been started already, or the approvers still have time.
    """
    parameters = {"run_id": run_id, "reason": reason, "countdown": countdown}
    row = await (await conn.execute(SQL["begin_countdown"], parameters)).fetchone()
    return row[0] if row else None


async def end_countdown(conn: Connection, run_id: int) -> None:
    """Cancel the countdown, as if it had never been started."""
    await conn.execute(SQL["end_countdown"], {"run_id": run_id})


async def note_offer(conn: Connection, run_id: int) -> None:
    """Record that the run's message has the button for self-approval."""
    await conn.execute(SQL["note_offer"], {"run_id": run_id})


async def list_waiting_lone_starts(conn: Connection) -> list[SelfApproval]:
    """List the pending requests whose button is not shown yet, or whose countdown runs."""
    return await fetch_all(conn, SelfApproval, "list_waiting_lone_starts")


async def requeue_jobs(conn: Connection, *, job_ids: Collection[str], stale_after: StaleLimits) -> list[str]:
    """Requeue jobs that failed or lost their worker; return the ids that are pending now. Their attempts are kept.

    Safe to repeat. `stale_after`: the age at which a heartbeat no longer counts; the database enforces at least 1 min.
    """
    parameters = {"job_ids": list(job_ids), **stale_parameters(stale_after)}
    cur = await conn.execute(query_of(conn, "requeue_jobs"), parameters)
    return sorted(job_id for (job_id,) in await cur.fetchall())


@counts_all_rows()
async def list_orphaned_jobs(conn: Connection, *, stale_after: StaleLimits, limit: int) -> list[RunningJob]:
    """List jobs in processing whose worker's heartbeat is stale, the longest locked first."""
    return await fetch_all(conn, RunningJob, "list_orphaned_jobs", **stale_parameters(stale_after), limit=limit)


@counts_all_rows()
async def list_jobs(conn: Connection, *, job_ids: Collection[str]) -> list[Job]:
    """List the jobs with these ids, ordered by id; unknown ids are left out."""
    return await fetch_all(conn, Job, "list_jobs", job_ids=list(job_ids))


async def ask_for_review(conn: Connection, *, run_id: int, acted_by: Person, remind_after: timedelta) -> None:
    """Request a review of a run without approval. Call it in the transaction that lets the run start."""
    parameters = {"run_id": run_id, "user_id": acted_by.user_id, "team_id": acted_by.team_id}
    await conn.execute(SQL["ask_for_review"], parameters | {"remind_after": remind_after})


async def read_review(conn: Connection, run_id: int) -> Review | None:
    """Return the review of the run; None if the run was approved."""
    return await fetch_one(conn, _to_review, "read_review", run_id=run_id)


async def list_open_reviews(conn: Connection) -> list[Review]:
    """List the open reviews, oldest first."""
    return await fetch_all(conn, _to_review, "list_open_reviews")


async def close_review(conn: Connection, *, run_id: int, person: Person, note: str) -> bool:
    """Close the review. True if it was open and the person is not the one who acted."""
    parameters = {"run_id": run_id, "user_id": person.user_id, "team_id": person.team_id, "note": note}
    return await (await conn.execute(SQL["close_review"], parameters)).fetchone() is not None


async def take_due_reviews(conn: Connection, *, again_after: timedelta) -> list[tuple[int, int]]:
    """List the reviews that need a reminder now as (run id, number of reminders, this one included).

    Each is due again after `again_after`.
    """
    cur = await conn.execute(SQL["take_due_reviews"], {"again_after": again_after})
    return await cur.fetchall()


def _to_review(
    *,
    acted_by_user: str,
    acted_by_team: str,
    reviewed_by_user: str | None,
    reviewed_by_team: str | None,
    **columns: Any,
) -> Review:
    reviewed_by = Person(reviewed_by_user, reviewed_by_team) if reviewed_by_user and reviewed_by_team else None
    return Review(acted_by=Person(acted_by_user, acted_by_team), reviewed_by=reviewed_by, **columns)


AUDIT_OF_A_RUN = 100  # rows; a run writes a few per state


async def read_record(conn: Connection, run_id: int) -> Record | None:
    """Return everything about one run; None if there is no run with this number."""
    run = await read_run(conn, run_id)
    if run is None:
        return None
    return Record(
        run=run,
        steps=tuple(await read_steps(conn, run_id)),
        decisions=tuple(await list_decisions(conn, run_id)),
        audit=tuple(reversed(await list_audit(conn, limit=AUDIT_OF_A_RUN, run_id=run_id))),
        review=await read_review(conn, run_id),
        self_approval=await read_lone_start(conn, run_id),
    )


async def read_open_reviews(conn: Connection) -> list[tuple[Review, Run]]:
    """List the runs that started without an approval and have no review yet, oldest first."""
    found = [(review, await read_run(conn, review.run_id)) for review in await list_open_reviews(conn)]
    return [(review, run) for review, run in found if run is not None]
