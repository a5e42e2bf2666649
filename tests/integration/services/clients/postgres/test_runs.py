"""Runs in the database: filed, claimed by one replica, journaled under a fence, and ended for good."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.clients.postgres import leases, runs
from services.clients.postgres.pool import Connection, Database
from services.domain.errors import SourceError
from services.domain.people import Person
from services.domain.runs import NewRun, Run, RunState, StepState, run_lease
from tests.integration.services.clients.postgres.conftest import NEW, STEPS
from tests.outside import PATIENCE_S, QUIET_S

ANN, BEN = Person("U1", "T1"), Person("U2", "T1")
SHORT, LONG = timedelta(milliseconds=50), timedelta(minutes=1)
RUN_OUT = "UPDATE chatops.leases SET until = clock_timestamp()"
KINDS = ("ScaleService", "VerifyHeartbeats", "Soak")

FileRun = Callable[..., Awaitable[int]]
StartRun = Callable[..., Awaitable[int]]


def fence(run_id: int, *, owner: str = "a", epoch: int = 1, position: int = 0) -> dict[str, Any]:
    return {"run_id": run_id, "owner": owner, "epoch": epoch, "position": position}


async def read(conn: Connection, run_id: int) -> Run:
    run = await runs.read_run(conn, run_id)
    assert run is not None
    return run


async def step_states(conn: Connection, run_id: int) -> list[StepState]:
    return [step.state for step in await runs.read_steps(conn, run_id)]


async def test_a_run_is_read_as_it_was_filed(as_bot: Connection, new_run: NewRun, file_run: FileRun) -> None:
    run_id = await file_run(as_bot)

    run = await read(as_bot, run_id)
    # A delivery is used only to find its run: `test_one_delivery_files_one_run_with_its_steps_once`.
    filed = {name: value for name, value in vars(new_run).items() if name not in ("expires_at_s", "delivery")}
    assert {name: getattr(run, name) for name in filed} == filed
    assert run.expires_at - run.created_at == pytest.approx(timedelta(seconds=900), abs=timedelta(seconds=1))
    assert run.message_key == f"run:{run_id}"
    assert [(step.position, step.step["kind"], step.state) for step in await runs.read_steps(as_bot, run_id)] == [
        (0, "ScaleService", StepState.PENDING),
        (1, "VerifyHeartbeats", StepState.PENDING),
    ]


async def test_no_one_asked_from_a_terminal(as_bot: Connection, file_run: FileRun) -> None:
    assert (await read(as_bot, await file_run(as_bot, requested_by=None))).requested_by is None


async def test_read_run_returns_none_when_the_run_does_not_exist(as_bot: Connection) -> None:
    assert await runs.read_run(as_bot, 1) is None
    assert await runs.read_steps(as_bot, 1) == []


async def test_a_run_succeeds_step_by_step(as_bot: Connection, start_run: StartRun) -> None:
    run_id = await start_run(as_bot)

    assert await runs.intend_step(as_bot, **fence(run_id), intent={"seen": ["d1"]})
    assert await runs.start_step(as_bot, **fence(run_id))
    assert await runs.finish_step(as_bot, **fence(run_id), state=StepState.DONE, evidence={"replicas": 2})
    assert await runs.start_step(as_bot, **fence(run_id, position=1))
    assert await runs.finish_step(as_bot, **fence(run_id, position=1), state=StepState.NOT_PROVED, note="no beat yet")
    assert await runs.transition_run(
        as_bot, run_id=run_id, from_=[RunState.RUNNING], to=RunState.SUCCEEDED, outcome="2 replicas"
    )

    run = await read(as_bot, run_id)
    assert (run.state, run.outcome, run.ended_at is not None) == (RunState.SUCCEEDED, "2 replicas", True)
    first, second = await runs.read_steps(as_bot, run_id)
    assert (first.state, first.intent, first.evidence) == (StepState.DONE, {"seen": ["d1"]}, {"replicas": 2})
    assert (second.state, second.note) == (StepState.NOT_PROVED, "no beat yet")
    assert None not in (first.started_at, first.ended_at, second.started_at, second.ended_at)


async def test_a_move_from_another_state_does_not_happen(as_bot: Connection, file_run: FileRun) -> None:
    run_id = await file_run(as_bot)

    moved = await runs.transition_run(as_bot, run_id=run_id, from_=[RunState.RUNNING], to=RunState.FAILED)

    assert (moved, (await read(as_bot, run_id)).state) == (False, RunState.APPROVED)


async def test_open_runs_are_those_that_have_not_ended(as_bot: Connection, file_run: FileRun) -> None:
    first, second, third = [await file_run(as_bot) for _ in range(3)]
    await runs.transition_run(as_bot, run_id=second, from_=[RunState.APPROVED], to=RunState.CANCELLED)

    assert [run.id for run in await runs.list_open_runs(as_bot)] == [first, third]
    assert [run.id for run in await runs.list_runs(as_bot, limit=2)] == [third, second]


# Claims


async def test_claimable_are_approved_runs_and_those_that_no_one_executes(
    as_bot: Connection, file_run: FileRun, start_run: StartRun
) -> None:
    approved = await file_run(as_bot)
    await file_run(as_bot, state=RunState.AWAITING_APPROVAL)
    carried_on = await start_run(as_bot)
    left = await start_run(as_bot, services=("dragonfly-worker-ingest",), lease=SHORT)
    being_planned_again = await file_run(as_bot)
    await leases.take_lease(as_bot, name=run_lease(being_planned_again), owner="b", duration=timedelta(minutes=1))
    await asyncio.sleep(2 * SHORT.total_seconds())

    found = await runs.list_runs_to_execute(as_bot, kinds=KINDS, format=1, longest_lease=LONG)
    claimable = [run.run_id for run in found if run.is_claimable]

    assert claimable == [approved, left]
    assert carried_on not in claimable


@pytest.mark.parametrize("unknown", [{"kinds": ("ScaleService", "Dance")}, {"format": 2}, {"expires_at_s": 0.001}])
async def test_not_claimable_is_what_this_version_cannot_execute_or_what_expired(
    as_bot: Connection, file_run: FileRun, unknown: dict[str, Any]
) -> None:
    await file_run(as_bot, **unknown)
    await asyncio.sleep(0.01)

    found = await runs.list_runs_to_execute(as_bot, kinds=KINDS, format=1, longest_lease=LONG)
    assert not any(run.is_claimable for run in found)


async def claim_service(database: Database, run_id: int) -> bool:
    """Do what a replica does first with an approved run, in one transaction; return True if the run is running."""
    async with database.transaction(timeout_s=60) as conn:
        if await runs.take_services(conn, run_id=run_id):
            return False
        if not await runs.transition_run(conn, run_id=run_id, from_=[RunState.APPROVED], to=RunState.RUNNING):
            return False
        await runs.void_waiting_runs(conn, services=["dragonfly-api"], except_run=run_id, outcome="another started")
        return True


async def test_of_200_that_claim_one_service_at_once_one_runs(database: Database, file_run: FileRun) -> None:
    async with database.transaction() as conn:
        ids = [await file_run(conn) for _ in range(200)]

    won = await asyncio.gather(*[claim_service(database, run_id) for run_id in ids])

    async with database.read() as conn:
        states = [run.state for run in await runs.list_runs(conn, limit=300)]
    assert (won.count(True), states.count(RunState.RUNNING), states.count(RunState.VOIDED)) == (1, 1, 199)


async def test_of_200_claims_of_one_run_one_gets_it(database: Database, file_run: FileRun) -> None:
    async with database.transaction() as conn:
        run_id = await file_run(conn)

    won = await asyncio.gather(*[claim_service(database, run_id) for _ in range(200)])

    assert won.count(True) == 1


async def test_services_are_taken_all_or_none(as_bot: Connection, file_run: FileRun, start_run: StartRun) -> None:
    holder = await start_run(as_bot, services=("dragonfly-worker-ingest",))
    wants_both = await file_run(as_bot, services=("dragonfly-worker-ingest", "dragonfly-api"))
    wants_the_other = await file_run(as_bot)

    assert await runs.take_services(as_bot, run_id=wants_both) == [("dragonfly-worker-ingest", holder)]
    assert await runs.take_services(as_bot, run_id=wants_the_other) == []


async def test_the_end_of_a_run_frees_its_services_and_skips_what_had_not_begun(
    as_bot: Connection, file_run: FileRun, start_run: StartRun
) -> None:
    run_id = await start_run(as_bot)
    await runs.intend_step(as_bot, **fence(run_id), intent={})

    await runs.transition_run(as_bot, run_id=run_id, from_=[RunState.RUNNING], to=RunState.CANCELLED)

    assert await step_states(as_bot, run_id) == [StepState.UNKNOWN, StepState.SKIPPED]
    assert await runs.take_services(as_bot, run_id=await file_run(as_bot)) == []


async def test_an_unknown_run_keeps_its_services(as_bot: Connection, file_run: FileRun, start_run: StartRun) -> None:
    run_id = await start_run(as_bot)
    await runs.transition_run(as_bot, run_id=run_id, from_=[RunState.RUNNING], to=RunState.UNKNOWN)

    assert await runs.take_services(as_bot, run_id=await file_run(as_bot)) == [("dragonfly-api", run_id)]


async def test_plans_that_wait_for_a_service_are_voided_when_another_starts(
    as_bot: Connection, file_run: FileRun, start_run: StartRun
) -> None:
    same = [
        await file_run(as_bot, state=state)
        for state in (RunState.PLANNED, RunState.AWAITING_APPROVAL, RunState.APPROVED)
    ]
    other = await file_run(as_bot, services=("dragonfly-worker-ingest",))
    run_id = await start_run(as_bot)

    voided = await runs.void_waiting_runs(as_bot, services=["dragonfly-api"], except_run=run_id, outcome="run 5 began")

    assert sorted(voided) == same
    assert (await read(as_bot, same[0])).outcome == "run 5 began"
    assert (await read(as_bot, other)).state == RunState.APPROVED


async def test_only_plans_of_one_playbook_are_voided_by_what_changes_nothing_else(
    as_bot: Connection, file_run: FileRun, start_run: StartRun
) -> None:
    scale = await file_run(as_bot, playbook="scale")
    unlock = await file_run(as_bot, playbook="unlock")
    run_id = await start_run(as_bot, playbook="unlock")

    voided = await runs.void_waiting_runs(
        as_bot, services=["dragonfly-api"], except_run=run_id, outcome="x", only_playbook="unlock"
    )

    assert voided == [unlock]
    assert (await read(as_bot, scale)).state == RunState.APPROVED


# Expiry and cancelling


async def test_expire_runs_ends_runs_that_waited_too_long(as_bot: Connection, file_run: FileRun) -> None:
    late = [
        await file_run(as_bot, state=state, expires_at_s=0.01)
        for state in (RunState.PLANNED, RunState.AWAITING_APPROVAL, RunState.APPROVED)
    ]
    await file_run(as_bot)
    await asyncio.sleep(0.05)

    assert sorted(await runs.expire_runs(as_bot)) == late
    assert [(await read(as_bot, run_id)).outcome for run_id in late[1:]] == [
        "not approved in time",
        "approved, but not started in time",
    ]
    assert await runs.expire_runs(as_bot) == []


async def test_an_expired_run_is_neither_approved_nor_started(as_bot: Connection, file_run: FileRun) -> None:
    waiting = await file_run(as_bot, state=RunState.AWAITING_APPROVAL, expires_at_s=0.01)
    approved = await file_run(as_bot, expires_at_s=0.01)
    await runs.take_services(as_bot, run_id=approved)
    await asyncio.sleep(0.05)

    assert not await runs.transition_run(
        as_bot, run_id=waiting, from_=[RunState.AWAITING_APPROVAL], to=RunState.APPROVED
    )
    assert not await runs.transition_run(as_bot, run_id=approved, from_=[RunState.APPROVED], to=RunState.RUNNING)


async def test_a_running_run_does_not_expire(as_bot: Connection, as_owner: Connection, start_run: StartRun) -> None:
    run_id = await start_run(as_bot)
    await as_owner.execute("UPDATE chatops.runs SET expires_at = clock_timestamp()")

    assert await runs.expire_runs(as_bot) == []
    assert await runs.transition_run(as_bot, run_id=run_id, from_=[RunState.RUNNING], to=RunState.UNKNOWN)
    assert await runs.transition_run(as_bot, run_id=run_id, from_=[RunState.UNKNOWN], to=RunState.RUNNING)


async def test_an_approval_gives_a_run_as_long_again_to_start(as_bot: Connection, file_run: FileRun) -> None:
    run_id = await file_run(as_bot, state=RunState.AWAITING_APPROVAL, expires_at_s=600)
    await runs.transition_run(as_bot, run_id=run_id, from_=[RunState.AWAITING_APPROVAL], to=RunState.APPROVED)

    run = await read(as_bot, run_id)

    assert run.approved_at is not None
    assert run.expires_at - run.approved_at == pytest.approx(timedelta(seconds=600), abs=timedelta(seconds=1))


async def test_the_first_wish_to_cancel_counts(as_bot: Connection, start_run: StartRun) -> None:
    run_id = await start_run(as_bot)

    assert await runs.request_cancel(as_bot, run_id=run_id, person=ANN)
    assert not await runs.request_cancel(as_bot, run_id=run_id, person=BEN)
    assert (await read(as_bot, run_id)).cancel_requested_by == ANN


async def test_an_ended_run_cannot_be_cancelled(as_bot: Connection, file_run: FileRun) -> None:
    run_id = await file_run(as_bot)
    await runs.transition_run(as_bot, run_id=run_id, from_=[RunState.APPROVED], to=RunState.CANCELLED)

    assert not await runs.request_cancel(as_bot, run_id=run_id, person=ANN)


# Fences


async def write_step(conn: Connection, **of: Any) -> list[bool]:
    """Try each of the three writes; return True for each that took effect."""
    return [
        await runs.intend_step(conn, **of, intent={}),
        await runs.start_step(conn, **of),
        await runs.finish_step(conn, **of, state=StepState.DONE),
    ]


@pytest.mark.parametrize("stale", [{"owner": "b"}, {"epoch": 2}, {"epoch": 0}])
async def test_no_one_writes_under_a_lease_that_is_not_theirs(
    as_bot: Connection, start_run: StartRun, stale: dict[str, Any]
) -> None:
    run_id = await start_run(as_bot)

    assert await write_step(as_bot, **fence(run_id, **stale)) == [False, False, False]
    assert await step_states(as_bot, run_id) == [StepState.PENDING, StepState.PENDING]


async def test_no_one_writes_under_an_expired_lease(as_bot: Connection, start_run: StartRun) -> None:
    run_id = await start_run(as_bot, lease=SHORT)
    await asyncio.sleep(2 * SHORT.total_seconds())

    assert await write_step(as_bot, **fence(run_id)) == [False, False, False]


async def test_a_replica_that_wakes_up_late_writes_nothing(as_bot: Connection, start_run: StartRun) -> None:
    run_id = await start_run(as_bot)
    assert await runs.intend_step(as_bot, **fence(run_id), intent={"by": "a"})
    await as_bot.execute(RUN_OUT)
    epoch = await leases.take_lease(as_bot, name=run_lease(run_id), owner="b", duration=timedelta(minutes=1))

    assert await write_step(as_bot, **fence(run_id)) == [False, False, False]
    assert epoch == 2
    assert await runs.intend_step(as_bot, **fence(run_id, owner="b", epoch=2), intent={"by": "b"})
    assert (await runs.read_steps(as_bot, run_id))[0].intent == {"by": "b"}


async def test_an_act_is_intended_once_under_one_epoch(as_bot: Connection, start_run: StartRun) -> None:
    run_id = await start_run(as_bot)

    assert await runs.intend_step(as_bot, **fence(run_id), intent={})
    assert not await runs.intend_step(as_bot, **fence(run_id), intent={})


async def test_a_successor_waits_until_what_was_written_is_committed(database: Database, start_run: StartRun) -> None:
    async with database.transaction() as conn:
        run_id = await start_run(conn)

    async def succeed() -> int | None:
        async with database.transaction() as conn:
            return await leases.take_lease(conn, name=run_lease(run_id), owner="b", duration=timedelta(minutes=1))

    async with database.transaction() as conn:
        assert await runs.intend_step(conn, **fence(run_id), intent={})
        await conn.execute(RUN_OUT)
        succeeding = asyncio.create_task(succeed())
        await asyncio.sleep(QUIET_S)
        assert not succeeding.done()

    assert await succeeding == 2


async def test_step_writes_are_refused_when_the_run_is_not_running(as_bot: Connection, start_run: StartRun) -> None:
    run_id = await start_run(as_bot)
    await runs.transition_run(as_bot, run_id=run_id, from_=[RunState.RUNNING], to=RunState.UNKNOWN)

    assert await write_step(as_bot, **fence(run_id)) == [False, False, False]


async def test_a_step_that_ended_is_not_written_again(as_bot: Connection, start_run: StartRun) -> None:
    run_id = await start_run(as_bot)
    await runs.start_step(as_bot, **fence(run_id))
    await runs.finish_step(as_bot, **fence(run_id), state=StepState.FAILED, note="first")

    assert await write_step(as_bot, **fence(run_id)) == [False, False, False]
    assert (await runs.read_steps(as_bot, run_id))[0].note == "first"


# Unknown outcomes


@pytest.fixture
async def unknown_run(as_bot: Connection, start_run: StartRun) -> int:
    """A run whose first step was sent and has an unknown outcome."""
    run_id = await start_run(as_bot)
    await runs.intend_step(as_bot, **fence(run_id), intent={"seen": []})
    await runs.finish_step(as_bot, **fence(run_id), state=StepState.UNKNOWN, note="the answer was lost")
    await runs.transition_run(as_bot, run_id=run_id, from_=[RunState.RUNNING], to=RunState.UNKNOWN)
    return run_id


@pytest.mark.parametrize(
    ("how", "state", "to"),
    [
        ("done", StepState.DONE, RunState.RUNNING),
        ("retry", StepState.PENDING, RunState.RUNNING),
        ("abort", StepState.FAILED, RunState.FAILED),
    ],
)
async def test_a_person_resolves_what_is_unknown(
    as_bot: Connection, unknown_run: int, how: runs.Resolution, state: StepState, to: RunState
) -> None:
    assert await runs.resolve_unknown_step(as_bot, run_id=unknown_run, position=0, person=BEN, how=how)
    assert await runs.transition_run(as_bot, run_id=unknown_run, from_=[RunState.UNKNOWN], to=to)

    step = (await runs.read_steps(as_bot, unknown_run))[0]
    assert step.state == state
    assert "U2" in (step.note or "")


async def test_unknown_step_is_resolved_by_the_first_of_two_people(as_bot: Connection, unknown_run: int) -> None:
    assert await runs.resolve_unknown_step(as_bot, run_id=unknown_run, position=0, person=ANN, how="done")
    assert not await runs.resolve_unknown_step(as_bot, run_id=unknown_run, position=0, person=BEN, how="retry")


async def test_a_run_with_a_known_outcome_can_t_be_settled(as_bot: Connection, start_run: StartRun) -> None:
    run_id = await start_run(as_bot)

    assert not await runs.resolve_unknown_step(as_bot, run_id=run_id, position=0, person=BEN, how="done")


async def test_a_retried_act_may_be_intended_again(as_bot: Connection, unknown_run: int) -> None:
    await runs.resolve_unknown_step(as_bot, run_id=unknown_run, position=0, person=BEN, how="retry")
    await runs.transition_run(as_bot, run_id=unknown_run, from_=[RunState.UNKNOWN], to=RunState.RUNNING)

    assert await runs.intend_step(as_bot, **fence(unknown_run), intent={})


# One run per delivery


async def test_one_delivery_files_one_run_with_its_steps_once(as_bot: Connection) -> None:
    new = replace(NEW, delivery="trigger:1")
    run_id = await runs.create_run(as_bot, new, STEPS)

    assert run_id is not None
    assert await runs.create_run(as_bot, new, STEPS) is None
    assert await runs.find_run_of_delivery(as_bot, delivery="trigger:1") == run_id
    assert len(await runs.read_steps(as_bot, run_id)) == len(STEPS)


async def test_each_delivery_files_its_own_run(as_bot: Connection) -> None:
    keys = ("trigger:1", "trigger:2", None, None)
    filed = [await runs.create_run(as_bot, replace(NEW, delivery=key), STEPS) for key in keys]

    assert len(set(filed)) == 4
    assert await runs.find_run_of_delivery(as_bot, delivery="trigger:3") is None


# Pre-emption


async def test_a_preempted_run_is_cancelled_fenced_off_and_frees_its_services(
    as_bot: Connection, file_run: FileRun, start_run: StartRun
) -> None:
    scale = await start_run(as_bot)
    await runs.intend_step(as_bot, **fence(scale), intent={})
    stop = await file_run(as_bot)

    preempted = await runs.preempt_runs(
        as_bot, services=["dragonfly-api"], by_run=stop, outcome="workers are stopped", longest_lease=LONG
    )

    assert [run.run_id for run in preempted] == [scale]
    assert preempted[0].may_act_for_s == pytest.approx(60, abs=50)
    assert await write_step(as_bot, **fence(scale)) == [False, False, False]
    assert await leases.take_lease(as_bot, name=run_lease(scale), owner="a", duration=SHORT) == 3  # not 1 again
    assert ((await read(as_bot, scale)).state, (await read(as_bot, scale)).outcome) == (
        RunState.CANCELLED,
        "workers are stopped",
    )
    assert await runs.take_services(as_bot, run_id=stop) == []


@pytest.mark.parametrize(("stepped", "waits_s"), [(timedelta(minutes=15), 60), (timedelta(minutes=-15), 0)])
async def test_pre_emption_waits_no_longer_than_a_lease_lasts_when_the_clock_has_stepped(
    as_bot: Connection, file_run: FileRun, start_run: StartRun, stepped: timedelta, waits_s: float
) -> None:
    scale = await start_run(as_bot)
    await as_bot.execute("UPDATE chatops.leases SET until = clock_timestamp() + %s", (stepped,))

    stop = await file_run(as_bot)
    (preempted,) = await runs.preempt_runs(
        as_bot, services=["dragonfly-api"], by_run=stop, outcome="x", longest_lease=LONG
    )

    assert (preempted.run_id, preempted.may_act_for_s) == (scale, waits_s)


async def test_a_lease_longer_than_any_can_be_is_claimable_so_that_the_claim_cuts_it(
    as_bot: Connection, start_run: StartRun
) -> None:
    run_id = await start_run(as_bot)

    async def claimable() -> dict[int, bool]:
        found = await runs.list_runs_to_execute(as_bot, kinds=KINDS, format=1, longest_lease=LONG)
        return {run.run_id: run.is_claimable for run in found}

    assert await claimable() == {run_id: False}

    await as_bot.execute("UPDATE chatops.leases SET until = until + interval '15 minutes'")
    assert await claimable() == {run_id: True}

    claim = {"name": run_lease(run_id), "owner": "b", "duration": SHORT, "longest": LONG}
    assert await leases.take_lease(as_bot, **claim) is None  # type: ignore[arg-type]
    assert await claimable() == {run_id: False}


async def test_runs_on_other_services_go_on(as_bot: Connection, file_run: FileRun, start_run: StartRun) -> None:
    run_id = await start_run(as_bot, services=("dragonfly-worker-ingest",))

    assert (
        await runs.preempt_runs(
            as_bot, services=["dragonfly-api"], by_run=await file_run(as_bot), outcome="x", longest_lease=LONG
        )
        == []
    )
    assert (await read(as_bot, run_id)).state == RunState.RUNNING


# Notices and refused transitions


async def test_a_change_of_a_run_sends_a_notice(as_bot: Connection, as_owner: Connection, file_run: FileRun) -> None:
    await as_owner.execute(f"LISTEN {runs.CHANNEL}")

    run_id = await file_run(as_bot)
    await runs.request_cancel(as_bot, run_id=run_id, person=ANN)
    await runs.transition_run(as_bot, run_id=run_id, from_=[RunState.APPROVED], to=RunState.CANCELLED)

    heard = [notice.payload async for notice in as_owner.notifies(timeout=PATIENCE_S, stop_after=3)]
    assert heard == [str(run_id)] * 3


async def test_forbidden_move_ends_the_transaction_with_the_reason(database: Database, file_run: FileRun) -> None:
    async with database.transaction() as conn:
        run_id = await file_run(conn)

    with pytest.raises(SourceError, match="the run has not taken its services"):
        async with database.transaction() as conn:
            await runs.transition_run(conn, run_id=run_id, from_=[RunState.APPROVED], to=RunState.RUNNING)
