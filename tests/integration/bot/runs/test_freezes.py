"""Freezes and runs that the local Railway really executes."""

from __future__ import annotations

from bot.commands.request_change import PLANS
from playbooks.model import NoPlan
from playbooks.plan import Plan
from services.domain.runs import RunState, StepState
from tests.integration.bot.runs.conftest import Bench

FREEZE = """
INSERT INTO chatops.freezes (kind, service, owner, reason, starts_at)
VALUES (%s, 'dragonfly-worker-ingest', 'U0OLIVIA', 'the import runs', clock_timestamp())
"""


async def test_freeze_before_the_first_act_stops_the_run_with_nothing_changed(bench: Bench) -> None:
    bench.world.name_of = {"U0OLIVIA": "Olivia"}.__getitem__
    run_id = await bench.file_command("scale", service="ingest", to="2")
    async with bench.journal_blocked(run_id, 0) as blocker:
        bench.start_runner()
        await bench.has_waiting(blocker)
        await bench.sql(FREEZE, "freeze")

    run, steps = await bench.ended(run_id)

    assert run.state is RunState.FAILED
    assert "ingest is frozen by Olivia" in (run.outcome or "")
    assert "(the import runs)" in (run.outcome or "")
    assert StepState.DONE not in {step.state for step in steps if step.intent is not None}
    assert bench.wire.mutations == []


async def test_frozen_service_is_not_scaled_but_stopped_and_rolled_back(bench: Bench) -> None:
    """The emergency stop and the rollback pass; so does an exception, and `unlock` lifts what `lock` made."""
    bench.start_runner()
    await bench.sql(FREEZE, "lock")

    refused = await PLANS["scale"]({"service": "ingest", "to": "2"}, bench.world)
    stop = await bench.plan("stop-workers")
    rollback = await bench.plan("rollback", service="ingest", to=bench.railway.commits[1].sha[:8])
    restart = await bench.plan("restart", service="ingest")
    scaled, _ = await bench.ended(
        await bench.file_command("scale", service="ingest", to="2", exception="the queue grows")
    )
    unlocked, _ = await bench.ended(await bench.file_command("unlock", service="ingest", reason="it is over"))

    assert isinstance(refused, NoPlan)
    assert "ingest is locked by U0OLIVIA" in refused.why
    assert all(isinstance(one, Plan) for one in (stop, rollback, restart))
    assert any("goes ahead" in line for line in rollback.warnings)
    assert (scaled.state, unlocked.state) == (RunState.SUCCEEDED, RunState.SUCCEEDED)
    assert await bench.sql("SELECT outcome FROM chatops.freezes") == [("lifted by U0OLIVIA",)]
    assert isinstance(await PLANS["scale"]({"service": "ingest", "to": "3"}, bench.world), Plan)


async def test_unlock_leaves_a_lock_that_was_made_after_it_was_requested(bench: Bench) -> None:
    await bench.sql(FREEZE, "lock")
    plan = await bench.plan("unlock", service="ingest", reason="it is over")
    run_id = await bench.file(plan, state=RunState.PLANNED)
    await bench.sql(FREEZE, "lock")
    await bench.approve(run_id)
    bench.start_runner()

    assert (await bench.ended(run_id))[0].state is RunState.SUCCEEDED
    assert await bench.sql("SELECT outcome FROM chatops.freezes ORDER BY id") == [("lifted by U0OLIVIA",), ("",)]
