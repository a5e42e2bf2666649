"""Runs: filing, claiming, executing and ending them. Typed calls of `sql/queries/runs.sql`.

The caller owns the transaction. Every change is compare-and-set and returns whether it happened. Take services before
anything else of a run is locked, and append to the audit log last: both make others wait until the commit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from psycopg.types.json import Jsonb

from services.clients.postgres.pool import Connection
from services.clients.postgres.queries import SQL, fetch_all, fetch_one
from services.domain.people import Person
from services.domain.runs import (
    MARKED_DONE,
    NewRun,
    OpenRun,
    PreemptedRun,
    Run,
    RunState,
    RunStep,
    StepState,
    run_lease,
)

CHANNEL = "chatops_runs"  # for LISTEN and NOTIFY; the trigger announce_run names it too

Resolution = Literal["done", "retry", "abort"]

_RESOLVED: Mapping[Resolution, tuple[StepState, str]] = {
    "done": (StepState.DONE, MARKED_DONE),
    "retry": (StepState.PENDING, "to be tried again, says a person"),
    "abort": (StepState.FAILED, "given up by a person"),
}


async def create_run(conn: Connection, new: NewRun, steps: Sequence[Mapping[str, Any]]) -> int | None:
    """File a plan with its steps (dicts of `encode_step`); return the run's id, None if its delivery has a run."""
    by = new.requested_by
    parameters = {
        **{name: getattr(new, name) for name in ("environment", "playbook", "plan_hash", "risk", "title", "reason")},
        **{name: getattr(new, name) for name in ("channel", "approvals_needed", "format", "delivery")},
        "state": new.state.value,
        "parameters": Jsonb(dict(new.parameters)),
        "plan": Jsonb(dict(new.plan)),
        "services": list(new.services),
        "kinds": list(new.kinds),
        "requested_by_user": by.user_id if by else None,
        "requested_by_team": by.team_id if by else None,
        "start_at": new.start_at,
        "pages_approvers": new.pages_approvers,
        "expires_in": timedelta(seconds=new.expires_at_s),
    }
    row = await (await conn.execute(SQL["create_run"], parameters)).fetchone()
    if row is None:
        return None
    await create_steps(conn, run_id=row[0], steps=steps)
    return int(row[0])


async def list_unanswered_requests(
    conn: Connection, person: Person, *, environment: str, window: timedelta, limit: int
) -> list[int]:
    """List the person's requests that paged approvers within the window and that no one else has decided.

    Newest first, as run ids. Of two requests that a person files at the same time, the second sees the first.
    """
    await lock_requests(conn, user_id=person.user_id)
    parameters = {"user_id": person.user_id, "environment": environment, "window": window, "limit": limit}
    return [row[0] for row in await (await conn.execute(SQL["list_unanswered_requests"], parameters)).fetchall()]


async def lock_requests(conn: Connection, *, user_id: str) -> None:
    """Let only one request of this person be filed at a time, until the commit."""
    await conn.execute(SQL["lock_requests"], {"user_id": user_id})


async def count_requests(conn: Connection, *, user_id: str, window: timedelta, delivery: str | None) -> int:
    """Count the requests that the person filed within the window, without emergency stops.

    0 if `delivery` has filed one already.
    """
    parameters = {"user_id": user_id, "window": window, "delivery": delivery}
    row = await (await conn.execute(SQL["count_requests"], parameters)).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives one row
    return int(row[0])


async def count_requests_after(conn: Connection, *, run_id: int, person: Person | None) -> int:
    """Count the person's requests that were filed after this run and did not page their approvers."""
    parameters = {"run_id": run_id, "user_id": person.user_id if person else None}
    row = await (await conn.execute(SQL["count_requests_after"], parameters)).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives one row
    return int(row[0])


async def note_traceparent(conn: Connection, *, run_id: int, traceparent: str) -> None:
    """Store the run's trace context, as a W3C traceparent."""
    await conn.execute(SQL["note_traceparent"], {"run_id": run_id, "traceparent": traceparent})


async def read_traceparent(conn: Connection, *, run_id: int) -> str | None:
    """The run's trace context; None if tracing was off when it was filed."""
    row = await (await conn.execute(SQL["read_traceparent"], {"run_id": run_id})).fetchone()
    return row[0] if row else None


async def find_run_of_delivery(conn: Connection, *, delivery: str) -> int | None:
    """The id of the run that this delivery filed; None if there is none."""
    row = await (await conn.execute(SQL["find_run_of_delivery"], {"delivery": delivery})).fetchone()
    return int(row[0]) if row else None


async def create_steps(conn: Connection, *, run_id: int, steps: Sequence[Mapping[str, Any]], first: int = 0) -> None:
    """Add pending steps to the journal, from position `first` on."""
    parameters = {"run_id": run_id, "first": first, "steps": Jsonb([dict(step) for step in steps])}
    await conn.execute(SQL["create_steps"], parameters)


async def read_run(conn: Connection, run_id: int) -> Run | None:
    return await fetch_one(conn, _to_run, "read_run", run_id=run_id)


async def read_steps(conn: Connection, run_id: int) -> list[RunStep]:
    """List the steps of the run in order; empty if there is no such run."""
    return await fetch_all(conn, _to_step, "read_steps", run_id=run_id)


async def list_runs(conn: Connection, *, limit: int) -> list[Run]:
    """List runs, newest first."""
    return await fetch_all(conn, _to_run, "list_runs", limit=limit)


async def list_open_runs(conn: Connection) -> list[Run]:
    """List the runs that have not ended, oldest first."""
    return await fetch_all(conn, _to_run, "list_open_runs")


async def transition_run(
    conn: Connection, *, run_id: int, from_: Collection[RunState], to: RunState, outcome: str | None = None
) -> bool:
    """Change the run's state from one of `from_` to `to`. True if it did. A final state frees its services.

    False also if the run has expired and `to` would approve or start it. Raises SourceError, when the transaction ends,
    for an invalid change: states without such a transition, too few approvals, services that were not taken.
    """
    parameters = {"run_id": run_id, "from": [state.value for state in from_], "to": to.value, "outcome": outcome}
    return await _happened(conn, SQL["transition_run"], parameters)


async def list_runs_to_execute(
    conn: Connection,
    *,
    kinds: Collection[str],
    format: int,  # noqa: A002
    longest_lease: timedelta,
) -> list[OpenRun]:
    """List the approved and running runs, oldest first, with whether this replica may claim each.

    It may if the run has only these step kinds and this format, has not expired, and has no living lease. A stored
    lease that is longer than `longest_lease` does not count.
    """
    parameters = {"kinds": list(kinds), "format": format, "longest_lease": longest_lease}
    cur = await conn.execute(SQL["list_runs_to_execute"], parameters)
    return [OpenRun(*row) for row in await cur.fetchall()]


async def take_services(conn: Connection, *, run_id: int) -> list[tuple[str, int]]:
    """Take all services of the run, or none. Returns the conflicts as (service, run id); empty if it has them all.

    Waits for another transaction that is taking one of them.
    """
    while True:
        await conn.execute(SQL["take_services"], {"run_id": run_id})
        missing = await list_services_not_taken(conn, run_id=run_id)
        conflicts = [(service, holder) for service, holder in missing if holder is not None]
        if conflicts:
            await give_back_services(conn, run_id=run_id)
        if conflicts or not missing:
            return conflicts


async def list_services_not_taken(conn: Connection, *, run_id: int) -> list[tuple[str, int | None]]:
    """List the run's services that it does not have as (service, run that has it, None if it has just become free)."""
    return await (await conn.execute(SQL["list_services_not_taken"], {"run_id": run_id})).fetchall()


async def give_back_services(conn: Connection, *, run_id: int) -> None:
    """Free the services that the run has taken."""
    await conn.execute(SQL["give_back_services"], {"run_id": run_id})


async def void_waiting_runs(
    conn: Connection,
    *,
    services: Collection[str],
    except_run: int,
    outcome: str,
    only_playbook: str | None = None,
    scheduled: bool = False,
) -> list[int]:
    """Void all other plans that wait for one of these services; return their run ids.

    `only_playbook`: only plans of this playbook. `scheduled`: also plans whose start time has not come.
    """
    parameters = {
        "services": list(services),
        "except_run": except_run,
        "outcome": outcome,
        "only_playbook": only_playbook,
        "scheduled": scheduled,
    }
    cur = await conn.execute(SQL["void_waiting_runs"], parameters)
    return [run_id for (run_id,) in await cur.fetchall()]


async def read_expiry_wait(conn: Connection) -> float | None:
    """Seconds until the next run that is not started expires, 0 if that is due; None if none can expire."""
    row = await (await conn.execute(SQL["read_expiry_wait"])).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives one row
    return None if row[0] is None else max(float(row[0]), 0.0)


async def expire_runs(conn: Connection) -> list[int]:
    """End the runs that were not decided or started in time; return their ids."""
    cur = await conn.execute(SQL["expire_runs"])
    return [run_id for (run_id,) in await cur.fetchall()]


async def request_cancel(conn: Connection, *, run_id: int, person: Person) -> bool:
    """Request the run's cancellation. True if it is the first request and the run has not ended."""
    parameters = {"run_id": run_id, "user_id": person.user_id, "team_id": person.team_id}
    return await _happened(conn, SQL["request_cancel"], parameters)


async def preempt_runs(
    conn: Connection, *, services: Collection[str], by_run: int, outcome: str, longest_lease: timedelta
) -> list[PreemptedRun]:
    """Cancel the started runs that hold one of these services, end their leases, and free their services."""
    preempted = []
    for run_id in await list_runs_in_the_way(conn, services=services, except_run=by_run):
        # The lease before the run: every fenced writer locks them in this order.
        left_s = await break_lease(conn, name=run_lease(run_id), owner=run_lease(by_run), longest_lease=longest_lease)
        started = (RunState.RUNNING, RunState.UNKNOWN)
        if await transition_run(conn, run_id=run_id, from_=started, to=RunState.CANCELLED, outcome=outcome):
            preempted.append(PreemptedRun(run_id, left_s))
    return preempted


async def list_runs_in_the_way(conn: Connection, *, services: Collection[str], except_run: int) -> list[int]:
    """List the ids of started runs that hold one of these services."""
    parameters = {"services": list(services), "except_run": except_run}
    cur = await conn.execute(SQL["list_runs_in_the_way"], parameters)
    return [run_id for (run_id,) in await cur.fetchall()]


async def break_lease(conn: Connection, *, name: str, owner: str, longest_lease: timedelta) -> float:
    """End another owner's lease; return for how many seconds its last act may still take effect."""
    parameters = {"name": name, "owner": owner, "longest_lease": longest_lease}
    row = await (await conn.execute(SQL["break_lease"], parameters)).fetchone()
    return float(row[0]) if row else 0.0


async def intend_step(
    conn: Connection, *, run_id: int, position: int, owner: str, epoch: int, intent: Mapping[str, Any]
) -> bool:
    """Store the intent of an act, under the living lease of this owner and epoch. True if the act may be sent.

    At most once per epoch: a successor may store the intent again after reading back that nothing happened.
    """
    parameters = {**_fenced(run_id, position, owner, epoch), "intent": Jsonb(dict(intent))}
    return await _happened(conn, SQL["intend_step"], parameters)


async def start_step(conn: Connection, *, run_id: int, position: int, owner: str, epoch: int) -> bool:
    """Mark the step as running. True if it runs now, also if it ran before (a successor checks or waits again)."""
    return await _happened(conn, SQL["start_step"], _fenced(run_id, position, owner, epoch))


async def finish_step(
    conn: Connection,
    *,
    run_id: int,
    position: int,
    owner: str,
    epoch: int,
    state: StepState,
    evidence: Mapping[str, Any] | None = None,
    note: str | None = None,
) -> bool:
    """Store the step's outcome. True if it was stored. `state`: any but pending, intended and running."""
    outcome = {"state": state.value, "evidence": None if evidence is None else Jsonb(dict(evidence)), "note": note}
    return await _happened(conn, SQL["finish_step"], _fenced(run_id, position, owner, epoch) | outcome)


async def resolve_unknown_step(
    conn: Connection, *, run_id: int, position: int, person: Person, how: Resolution
) -> bool:
    """Settle an unknown step of an unknown run as a person decided. True if it was unknown.

    Change the run's state afterwards.
    """
    state, words = _RESOLVED[how]
    parameters = {"run_id": run_id, "position": position, "state": state.value, "note": f"{words} ({person.user_id})"}
    return await _happened(conn, SQL["resolve_unknown_step"], parameters)


async def prune_run_steps(conn: Connection, *, older_than: timedelta | None, limit: int) -> int:
    """Delete the steps of old runs that have ended, `limit` runs at most; return how many runs. None keeps all."""
    row = await (await conn.execute(SQL["prune_run_steps"], {"older_than": older_than, "limit": limit})).fetchone()
    return int(row[0]) if row else 0


def _fenced(run_id: int, position: int, owner: str, epoch: int) -> dict[str, Any]:
    return {"run_id": run_id, "position": position, "owner": owner, "epoch": epoch}


async def _happened(conn: Connection, sql: str, parameters: Mapping[str, Any]) -> bool:
    return await (await conn.execute(sql, parameters)).fetchone() is not None


def _to_run(
    *,
    state: str,
    services: list[str],
    kinds: list[str],
    requested_by_user: str | None,
    requested_by_team: str | None,
    cancel_requested_by_user: str | None,
    cancel_requested_by_team: str | None,
    **columns: Any,
) -> Run:
    return Run(
        state=RunState(state),
        services=tuple(services),
        kinds=tuple(kinds),
        requested_by=_person(requested_by_user, requested_by_team),
        cancel_requested_by=_person(cancel_requested_by_user, cancel_requested_by_team),
        **columns,
    )


def _person(user_id: str | None, team_id: str | None) -> Person | None:
    return None if user_id is None or team_id is None else Person(user_id, team_id)


def _to_step(*, state: str, **columns: Any) -> RunStep:
    return RunStep(state=StepState(state), **columns)
