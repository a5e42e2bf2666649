"""The database enforces the state machines of runs and steps for every writer (docs/states.md)."""

from __future__ import annotations

from collections.abc import Awaitable
from itertools import product

import pytest
from psycopg import errors

from services.clients.postgres.pool import Connection
from services.domain.runs import STEP_TRANSITIONS, TRANSITIONS, WAITING, RunState, StepState

RUN = """
    INSERT INTO chatops.runs (
        state, environment, playbook, parameters, plan, plan_hash, risk, title, services, reason, channel,
        approvals_needed, kinds, format, expires_at, approved_at, started_at, ended_at
    )
    VALUES (
        %(state)s, 'staging', 'scale', '{}', '{}', repeat('a', 64), 'high', 'Scale', %(services)s, '', 'c',
        %(needed)s, '{ScaleService}', 1, clock_timestamp() + '15 minutes', %(at)s, %(at)s,
        CASE WHEN chatops.is_final(%(state)s) THEN clock_timestamp() END
    )
    RETURNING id
"""
DECISION = """
    INSERT INTO chatops.run_decisions (run_id, user_id, team_id, approve, reason, plan_hash, policy_hash)
    VALUES (%(run)s, %(user)s, 'T1', %(approve)s, '', repeat(%(hash)s, 64), 'p')
"""


async def plant(conn: Connection, state: RunState, *, services: tuple[str, ...] = (), needed: int = 0) -> int:
    """Store a run in any state, which only the owner can do, with the triggers off; return its number."""
    async with conn.transaction():
        await conn.execute("ALTER TABLE chatops.runs DISABLE TRIGGER USER")
        parameters = {"state": state.value, "services": list(services), "needed": needed, "at": "2026-01-01T00:00Z"}
        row = await (await conn.execute(RUN, parameters)).fetchone()
        await conn.execute("ALTER TABLE chatops.runs ENABLE TRIGGER USER")
    assert row is not None
    return int(row[0])


async def plant_step(conn: Connection, run_id: int, position: int, state: StepState, *, epoch: int | None = 1) -> None:
    """Store a step in any state. `epoch`: of its intent; None for a step without an intent."""
    async with conn.transaction():
        await conn.execute("ALTER TABLE chatops.run_steps DISABLE TRIGGER USER")
        await conn.execute(
            "INSERT INTO chatops.run_steps (run_id, position, step, state, epoch, intent) "
            "VALUES (%s, %s, '{}', %s, %s, %s)",
            (run_id, position, state.value, epoch, "{}" if epoch else None),
        )
        await conn.execute("ALTER TABLE chatops.run_steps ENABLE TRIGGER USER")


async def move(conn: Connection, run_id: int, to: RunState) -> None:
    await conn.execute("UPDATE chatops.runs SET state = %s WHERE id = %s", (to.value, run_id))


async def is_made(moving: Awaitable[object], refusal: str) -> bool:
    """True if the transition takes effect, False if it is refused with these words. Raises any other error."""
    try:
        await moving
    except errors.CheckViolation as error:
        if refusal not in str(error):
            raise
        return False
    return True


async def test_a_run_makes_exactly_the_transitions_of_the_diagram(as_owner: Connection, as_bot: Connection) -> None:
    made = set()
    for before, after in product(RunState, RunState):
        run_id = await plant(as_owner, before)
        if await is_made(move(as_bot, run_id, after), f"from {before} to {after}"):
            made.add((before, after))

    stays = {(state, state) for state in RunState}  # writing the same state again is no transition
    assert made - stays == {(before, after) for before, to in TRANSITIONS.items() for after in to}


async def test_a_step_makes_exactly_the_transitions_of_the_diagram(as_owner: Connection, as_bot: Connection) -> None:
    run_id = await plant(as_owner, RunState.RUNNING)
    made = set()
    for position, (before, after) in enumerate(product(StepState, StepState)):
        await plant_step(as_owner, run_id, position, before)
        change = "UPDATE chatops.run_steps SET state = %s WHERE run_id = %s AND position = %s"
        moving = as_bot.execute(change, (after.value, run_id, position))
        if await is_made(moving, f"from {before} to {after}"):
            made.add((before, after))

    stays = {(state, state) for state in StepState}
    assert made - stays == {(before, after) for before, to in STEP_TRANSITIONS.items() for after in to}


async def test_the_states_are_the_same_in_both_places(as_bot: Connection) -> None:
    for name, states in (("run_state", RunState), ("step_state", StepState)):
        row = await (await as_bot.execute(f"SELECT enum_range(NULL::chatops.{name})::text[]")).fetchone()
        assert row is not None
        assert set(row[0]) == {state.value for state in states}


async def test_a_run_begins_as_something_that_waits(as_bot: Connection) -> None:
    begun = set()
    for state in RunState:
        parameters: dict[str, object] = {"state": state.value, "services": [], "needed": 0, "at": "2026-01-01T00:00Z"}
        if await is_made(as_bot.execute(RUN, parameters), f"cannot begin as {state}"):
            begun.add(state)

    assert begun == WAITING


async def test_a_run_that_needs_approvals_does_not_begin_as_approved(as_bot: Connection) -> None:
    with pytest.raises(errors.CheckViolation, match="that needs approvals"):
        await as_bot.execute(RUN, {"state": "approved", "services": [], "needed": 1, "at": None})


async def test_a_step_begins_as_pending(as_owner: Connection, as_bot: Connection) -> None:
    run_id = await plant(as_owner, RunState.RUNNING)
    begun = set()
    for position, state in enumerate(StepState):
        new = "INSERT INTO chatops.run_steps (run_id, position, step, state) VALUES (%s, %s, '{}', %s)"
        if await is_made(as_bot.execute(new, (run_id, position, state.value)), f"cannot begin as {state}"):
            begun.add(state)

    assert begun == {StepState.PENDING}


# Other conditions


async def decide(conn: Connection, run_id: int, user: str, *, approve: bool = True, plan: str = "a") -> None:
    await conn.execute(DECISION, {"run": run_id, "user": user, "approve": approve, "hash": plan})


async def test_a_run_is_approved_by_as_many_people_as_it_needs(as_owner: Connection, as_bot: Connection) -> None:
    run_id = await plant(as_owner, RunState.AWAITING_APPROVAL, needed=2)
    await decide(as_bot, run_id, "U1")
    with pytest.raises(errors.CheckViolation, match="not approved by as many"):
        await move(as_bot, run_id, RunState.APPROVED)

    await decide(as_bot, run_id, "U2")

    await move(as_bot, run_id, RunState.APPROVED)


async def test_one_person_does_not_count_twice(as_owner: Connection, as_bot: Connection) -> None:
    run_id = await plant(as_owner, RunState.AWAITING_APPROVAL, needed=2)
    await decide(as_bot, run_id, "U1")

    with pytest.raises(errors.UniqueViolation):
        await decide(as_bot, run_id, "U1")


async def test_a_denied_run_is_not_approved(as_owner: Connection, as_bot: Connection) -> None:
    run_id = await plant(as_owner, RunState.AWAITING_APPROVAL, needed=1)
    await decide(as_bot, run_id, "U1", approve=False)
    await decide(as_bot, run_id, "U2")

    with pytest.raises(errors.CheckViolation, match="not approved by as many"):
        await move(as_bot, run_id, RunState.APPROVED)


async def test_a_decision_about_another_plan_is_refused(as_owner: Connection, as_bot: Connection) -> None:
    run_id = await plant(as_owner, RunState.AWAITING_APPROVAL, needed=1)

    with pytest.raises(errors.CheckViolation, match="does not wait for a decision"):
        await decide(as_bot, run_id, "U1", plan="b")


async def test_a_decision_about_what_does_not_wait_is_refused(as_owner: Connection, as_bot: Connection) -> None:
    for state in set(RunState) - {RunState.AWAITING_APPROVAL}:
        with pytest.raises(errors.CheckViolation, match="does not wait for a decision"):
            await decide(as_bot, await plant(as_owner, state), "U1")


async def test_a_run_starts_only_with_all_its_services(as_owner: Connection, as_bot: Connection) -> None:
    run_id = await plant(as_owner, RunState.APPROVED, services=("a", "b"))
    await as_bot.execute("INSERT INTO chatops.run_services (service, run_id) VALUES ('a', %s)", (run_id,))

    with pytest.raises(errors.CheckViolation, match="not taken its services"):
        await move(as_bot, run_id, RunState.RUNNING)


async def test_a_service_belongs_to_one_run(as_owner: Connection, as_bot: Connection) -> None:
    first, second = await plant(as_owner, RunState.APPROVED), await plant(as_owner, RunState.APPROVED)
    take = "INSERT INTO chatops.run_services (service, run_id) VALUES ('a', %s)"
    await as_bot.execute(take, (first,))

    with pytest.raises(errors.UniqueViolation):
        await as_bot.execute(take, (second,))


async def test_a_run_does_not_succeed_before_its_steps_have_ended(as_owner: Connection, as_bot: Connection) -> None:
    for state in (StepState.PENDING, StepState.INTENDED, StepState.RUNNING, StepState.UNKNOWN):
        run_id = await plant(as_owner, RunState.RUNNING)
        await plant_step(as_owner, run_id, 0, state)

        with pytest.raises(errors.CheckViolation, match="has not ended"):
            await move(as_bot, run_id, RunState.SUCCEEDED)


async def test_a_run_is_not_voided_after_a_step_has_begun(as_owner: Connection, as_bot: Connection) -> None:
    run_id = await plant(as_owner, RunState.RUNNING)
    await plant_step(as_owner, run_id, 0, StepState.INTENDED)

    with pytest.raises(errors.CheckViolation, match="has begun"):
        await move(as_bot, run_id, RunState.VOIDED)


async def test_a_run_does_not_go_on_while_a_step_is_unknown(as_owner: Connection, as_bot: Connection) -> None:
    run_id = await plant(as_owner, RunState.UNKNOWN)
    await plant_step(as_owner, run_id, 0, StepState.UNKNOWN)

    with pytest.raises(errors.CheckViolation, match="unknown still"):
        await move(as_bot, run_id, RunState.RUNNING)


async def test_the_end_from_outside_leaves_unknown_only_what_may_have_been_sent(
    as_owner: Connection, as_bot: Connection
) -> None:
    run_id = await plant(as_owner, RunState.RUNNING)
    await plant_step(as_owner, run_id, 0, StepState.INTENDED)
    await plant_step(as_owner, run_id, 1, StepState.RUNNING)
    await plant_step(as_owner, run_id, 2, StepState.RUNNING, epoch=None)
    await plant_step(as_owner, run_id, 3, StepState.PENDING, epoch=None)

    await move(as_bot, run_id, RunState.CANCELLED)

    steps = "SELECT state::text FROM chatops.run_steps WHERE run_id = %s ORDER BY position"
    ended = [state for (state,) in await (await as_bot.execute(steps, (run_id,))).fetchall()]
    assert ended == [StepState.UNKNOWN, StepState.UNKNOWN, StepState.SKIPPED, StepState.SKIPPED]


# Columns that the bot may not change at all

KEPT = (
    "UPDATE chatops.runs SET plan = '{}'",
    "UPDATE chatops.runs SET plan_hash = repeat('b', 64)",
    "UPDATE chatops.runs SET approvals_needed = 0",
    "UPDATE chatops.runs SET expires_at = 'infinity'",
    "UPDATE chatops.runs SET requested_by_user = 'U1', requested_by_team = 'T1'",
    "UPDATE chatops.run_steps SET step = '{}'",
    "UPDATE chatops.run_decisions SET approve = true",
    "DELETE FROM chatops.runs",
    "DELETE FROM chatops.run_steps",
    "DELETE FROM chatops.run_decisions",
    "TRUNCATE chatops.runs CASCADE",
    "ALTER TABLE chatops.runs DISABLE TRIGGER USER",
)


async def test_the_bot_changes_only_the_progress_of_a_run(as_bot: Connection) -> None:
    for statement in KEPT:
        with pytest.raises(errors.InsufficientPrivilege):
            await as_bot.execute(statement)
