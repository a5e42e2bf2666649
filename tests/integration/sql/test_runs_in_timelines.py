"""Changes of a run during an incident are sentences in its timeline that name the person."""

from __future__ import annotations

from services.clients.postgres.pool import Connection
from services.domain.incidents import IncidentState
from services.domain.runs import RunState
from tests.integration.sql import test_incident_states as incidents
from tests.integration.sql import test_run_states as runs

ASKED = "UPDATE chatops.runs SET requested_by_user = 'UOTTO', requested_by_team = 'T1' WHERE id = %s"
CANCELLED_BY = (
    "UPDATE chatops.runs SET cancel_requested_by_user = 'UOTTO', cancel_requested_by_team = 'T1' WHERE id = %s"
)


async def reported(conn: Connection) -> list[tuple[str | None, str]]:
    """Return person and text of each line, oldest first; without the run's number and title."""
    cursor = await conn.execute("SELECT by_user, text FROM chatops.incident_events WHERE kind = 'run' ORDER BY id")
    rows = await cursor.fetchall()
    assert all("run " in text and text.endswith(": Scale") for _, text in rows)
    return [(user, text.partition("run ")[0].strip()) for user, text in rows]


async def plant(owner: Connection, state: RunState, *, needed: int = 0) -> int:
    run_id = await runs.plant(owner, state, needed=needed)
    await owner.execute(ASKED, (run_id,))
    await incidents.plant(owner, IncidentState.OPEN)
    return run_id


async def test_each_approver_is_named(as_owner: Connection, as_bot: Connection) -> None:
    run_id = await plant(as_owner, RunState.AWAITING_APPROVAL, needed=2)
    await runs.decide(as_bot, run_id, "UANN")
    await runs.decide(as_bot, run_id, "UBEN")

    await runs.move(as_bot, run_id, RunState.APPROVED)
    await runs.move(as_bot, run_id, RunState.RUNNING)

    assert sorted(await reported(as_bot), key=str) == [("UANN", "approved"), ("UBEN", "approved"), (None, "started:")]


async def test_timeline_names_the_person_who_confirms(as_owner: Connection, as_bot: Connection) -> None:
    run_id = await plant(as_owner, RunState.PLANNED)

    await runs.move(as_bot, run_id, RunState.APPROVED)

    assert await reported(as_bot) == [("UOTTO", "confirmed")]


async def test_timeline_names_the_person_who_denies(as_owner: Connection, as_bot: Connection) -> None:
    run_id = await plant(as_owner, RunState.AWAITING_APPROVAL, needed=1)
    await runs.decide(as_bot, run_id, "UANN", approve=False)

    await runs.move(as_bot, run_id, RunState.CANCELLED)

    assert await reported(as_bot) == [("UANN", "denied")]


async def test_timeline_names_the_person_who_cancels_and_no_one_for_a_preempted_run(
    as_owner: Connection, as_bot: Connection
) -> None:
    run_id = await plant(as_owner, RunState.PLANNED)
    await as_bot.execute(CANCELLED_BY, (run_id,))
    await runs.move(as_bot, run_id, RunState.CANCELLED)
    other = await runs.plant(as_owner, RunState.PLANNED)

    await runs.move(as_bot, other, RunState.CANCELLED)

    assert await reported(as_bot) == [("UOTTO", "cancelled"), (None, "cancelled:")]


async def test_the_requester_asked_for_it(as_owner: Connection, as_bot: Connection) -> None:
    await incidents.plant(as_owner, IncidentState.OPEN)
    asked = runs.RUN.replace("approvals_needed,", "approvals_needed, requested_by_user, requested_by_team,")
    asked = asked.replace("%(needed)s,", "%(needed)s, 'UOTTO', 'T1',")

    await as_bot.execute(asked, {"state": "planned", "services": [], "needed": 0, "at": None})

    assert await reported(as_bot) == [("UOTTO", "asked for")]
