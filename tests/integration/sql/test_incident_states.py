"""The database enforces the state machine of incidents for every writer (docs/states.md)."""

from __future__ import annotations

from collections.abc import Awaitable
from itertools import product

import pytest
from psycopg import errors

from services.clients.postgres.pool import Connection
from services.domain.incidents import TRANSITIONS, IncidentState

INCIDENT = """
    INSERT INTO chatops.incidents (
        state, environment, severity, title, services, since, chain, acknowledged_by_user, acknowledged_by_team,
        acknowledged_at, resolved_by_user, resolved_by_team, resolved_at, cause
    )
    VALUES (
        %(state)s, 'staging', 'sev1', 'No ingest', '{}', now(), '{}', %(taken)s, %(taken)s, %(taken_at)s,
        %(ended)s, %(ended)s, %(ended_at)s, %(ended)s
    )
    RETURNING id
"""
# The columns of each state, without the times, which the trigger writes.
MOVES = {
    IncidentState.OPEN: "UPDATE chatops.incidents SET state = 'open' WHERE id = %s",
    IncidentState.ACKNOWLEDGED: "UPDATE chatops.incidents SET state = 'acknowledged', acknowledged_by_user = 'U2', "
    "acknowledged_by_team = 'T1' WHERE id = %s",
    IncidentState.RESOLVED: "UPDATE chatops.incidents SET state = 'resolved', resolved_by_user = 'U2', "
    "resolved_by_team = 'T1', cause = 'a cause' WHERE id = %s",
}
PAGE = "INSERT INTO chatops.incident_pages (incident_id, number, level, reason) VALUES (%s, 1, 0, 'opened')"


def values(state: IncidentState) -> dict[str, object]:
    """Return the columns of an incident in this state; text unless it is a time."""
    taken, ended = state is IncidentState.ACKNOWLEDGED, state is IncidentState.RESOLVED
    return {
        "state": state.value,
        "taken": "U1" if taken else None,
        "taken_at": "2026-01-01T00:00Z" if taken else None,
        "ended": "U1" if ended else None,
        "ended_at": "2026-01-01T00:00Z" if ended else None,
    }


async def plant(conn: Connection, state: IncidentState) -> int:
    """Store an incident in any state, which only the owner can do, with the triggers off; return its number."""
    async with conn.transaction():
        await conn.execute("ALTER TABLE chatops.incidents DISABLE TRIGGER USER")
        row = await (await conn.execute(INCIDENT, values(state))).fetchone()
        await conn.execute("ALTER TABLE chatops.incidents ENABLE TRIGGER USER")
    assert row is not None
    return int(row[0])


async def is_made(moving: Awaitable[object], refusal: str) -> bool:
    """True if the statement takes effect, False if it is refused with these words. Raises any other error."""
    try:
        await moving
    except errors.CheckViolation as error:
        if refusal not in str(error):
            raise
        return False
    return True


async def test_an_incident_makes_exactly_the_transitions_of_the_diagram(
    as_owner: Connection, as_bot: Connection
) -> None:
    made = set()
    for before, after in product(IncidentState, IncidentState):
        if before is after:
            continue  # writing the same state again is no transition
        incident_id = await plant(as_owner, before)
        if await is_made(as_bot.execute(MOVES[after], (incident_id,)), f"from {before} to {after}"):
            made.add((before, after))

    assert made == {(before, after) for before, to in TRANSITIONS.items() for after in to}


async def test_the_states_are_the_same_in_both_places(as_bot: Connection) -> None:
    row = await (await as_bot.execute("SELECT enum_range(NULL::chatops.incident_state)::text[]")).fetchone()

    assert row is not None
    assert set(row[0]) == {state.value for state in IncidentState}


async def test_an_incident_begins_as_open(as_bot: Connection) -> None:
    begun = set()
    for state in IncidentState:
        if await is_made(as_bot.execute(INCIDENT, values(state)), f"cannot begin as {state}"):
            begun.add(state)

    assert begun == {IncidentState.OPEN}


async def test_no_page_is_stored_for_an_incident_that_is_not_open(as_owner: Connection, as_bot: Connection) -> None:
    called = set()
    for state in IncidentState:
        incident_id = await plant(as_owner, state)
        if await is_made(as_bot.execute(PAGE, (incident_id,)), f"an incident that is {state}"):
            called.add(state)

    assert called == {IncidentState.OPEN}


async def test_resolving_needs_a_person_and_a_cause(as_owner: Connection, as_bot: Connection) -> None:
    incident_id = await plant(as_owner, IncidentState.OPEN)

    for without in ("resolved_by_user = 'U2', resolved_by_team = 'T1', ", ", cause = 'a cause'"):
        with pytest.raises(errors.CheckViolation):
            await as_bot.execute(MOVES[IncidentState.RESOLVED].replace(without, ""), (incident_id,))


# Columns that the bot may not change at all

KEPT = (
    "UPDATE chatops.incidents SET chain = '{}'",
    "UPDATE chatops.incidents SET opened_at = now()",
    "UPDATE chatops.incidents SET resolved_at = now()",
    "UPDATE chatops.incidents SET title = 'x'",
    "UPDATE chatops.incident_pages SET level = 1",
    "UPDATE chatops.incident_events SET text = 'x'",
    "UPDATE chatops.oncall_overrides SET user_id = 'U1'",
    "DELETE FROM chatops.incidents",
    "DELETE FROM chatops.incident_alerts",
    "DELETE FROM chatops.incident_pages",
    "DELETE FROM chatops.oncall_overrides",
    "ALTER TABLE chatops.incidents DISABLE TRIGGER USER",
)


async def test_a_line_of_a_timeline_only_grows(as_owner: Connection, as_bot: Connection) -> None:
    incident_id = await plant(as_owner, IncidentState.OPEN)
    await as_bot.execute(
        "INSERT INTO chatops.incident_events (incident_id, kind, text) VALUES (%s, 'reported', 'a')", [incident_id]
    )
    await as_bot.execute("UPDATE chatops.incident_events SET more = ' b', repeats = repeats + 1")

    for shorter in ("more = ' c', repeats = repeats + 1", "more = ' b c'", "repeats = 0"):
        with pytest.raises(errors.CheckViolation):
            async with as_bot.transaction():
                await as_bot.execute(f"UPDATE chatops.incident_events SET {shorter}")  # noqa: S608 - ours


async def test_the_bot_changes_only_the_progress_of_an_incident(as_bot: Connection) -> None:
    for statement in KEPT:
        with pytest.raises(errors.InsufficientPrivilege):
            await as_bot.execute(statement)
