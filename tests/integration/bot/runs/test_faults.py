"""Runs while something goes wrong: Railway, the database, other people's deploys, and people who change their mind."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.config.timing import RunSettings
from bot.views.run_steps import step_line
from services.clients.postgres import runs
from services.clients.postgres.runs import Resolution
from services.domain.people import Person
from services.domain.runs import RunState, StepState, is_proved
from services.sandbox.railway.model import Faults
from tests.conftest import DatabaseUrls
from tests.integration.bot.runs.conftest import OLIVIA, PATIENT, Bench, MakeBench
from tests.outside import QUIET_S
from tests.wire import Line

INGEST = "dragonfly-worker-ingest"
SCALE_STEP = 2  # of "scale ingest 2": after the checks of the database and of the running worker
CROWDED = replace(PATIENT, lease_s=RunSettings.lease_s, renew_every_s=RunSettings.renew_every_s)  # as in production


@pytest.fixture
async def impatient(make_bench: MakeBench) -> Bench:
    """A bench that gives up soon on a missing effect, and waits long for an answer."""
    return await make_bench(settings=replace(PATIENT, patience_s=4.0, confirm_s=1.0))


def replicas(bench: Bench) -> int:
    return sum(bench.railway.find_service(INGEST).regions.values())


@pytest.mark.parametrize("where", ["before", "after"])
async def test_call_without_an_answer_is_read_back(bench: Bench, where: str) -> None:
    """Applied: found, and not sent again. Not applied: found too, and then it may be sent."""
    hold = bench.wire.hold("commitPatch", where, lose=True)  # type: ignore[arg-type]
    run_id = await bench.file_command("scale", service="ingest", to="2")
    bench.start_runner()
    await hold.reached.wait()

    run, steps = await bench.ended(run_id)
    hold.release()

    assert is_proved(run.state, steps), steps
    assert bench.wire.mutations == ["commitPatch"]
    assert ("had not answered" in (steps[SCALE_STEP].note or "")) == (where == "after")


async def test_a_start_that_is_refused_reports_that_the_replicas_are_set(bench: Bench) -> None:
    bench.start_runner()
    stopped, _ = await bench.ended(await bench.file_command("scale", service="ingest", to="0"))
    assert stopped.state is RunState.SUCCEEDED, stopped.outcome
    regions = bench.railway.find_service(INGEST).regions
    regions.update(dict.fromkeys(regions, 3))  # more replicas were configured while it was stopped
    hold = bench.wire.hold("redeploy", "before", status=404)
    hold.release()

    run, steps = await bench.ended(await bench.file_command("scale", service="ingest", to="2"))

    assert run.state is RunState.FAILED, steps
    assert "done in part, ingest is set to 1 replica; the rest is not done" in (run.outcome or "")
    assert replicas(bench) == 1


@pytest.mark.parametrize("status", [500, 429])
async def test_railway_that_refuses_for_a_while(bench: Bench, status: int) -> None:
    hold = bench.wire.hold("commitPatch", "before", status=status)
    hold.release()
    run_id = await bench.file_command("scale", service="ingest", to="2")
    bench.start_runner()

    run, steps = await bench.ended(run_id)

    assert is_proved(run.state, steps), steps
    assert bench.wire.mutations == ["commitPatch"]


async def test_railway_that_is_slow(bench: Bench) -> None:
    run_id = await bench.file_command("scale", service="ingest", to="2")
    bench.wire.delay_s = 0.8
    bench.start_runner()

    run, steps = await bench.ended(run_id)

    assert is_proved(run.state, steps), steps
    assert bench.wire.mutations == ["commitPatch"]


async def test_yes_that_is_followed_by_nothing_is_no_success(impatient: Bench) -> None:
    bench = impatient
    run_id = await bench.file_command("scale", service="ingest", to="2")
    bench.railway.set_faults(Faults(ignore_changes=True))
    bench.start_runner()

    run, _ = await bench.ended(run_id)

    assert run.state is RunState.FAILED
    assert "took no effect: ingest still has 1 replica" in (run.outcome or "")
    assert bench.wire.mutations == ["commitPatch"]


async def _unknown(bench: Bench) -> int:
    """Run a scale that Railway applied, whose answer was lost and which cannot be read back; return its number."""
    hold = bench.wire.hold("commitPatch", "after", lose=True)
    run_id = await bench.file_command("scale", service="ingest", to="2")
    bench.start_runner()
    await hold.reached.wait()
    bench.wire.status = 500
    hold.release()
    run, steps = await bench.ended(run_id)
    assert run.state is RunState.UNKNOWN, run.outcome
    assert steps[SCALE_STEP].state is StepState.UNKNOWN
    bench.wire.status = None
    return run_id


@pytest.mark.parametrize(
    ("how", "state"), [("done", RunState.SUCCEEDED), ("retry", RunState.SUCCEEDED), ("abort", RunState.FAILED)]
)
async def test_run_waits_for_a_person_when_read_back_is_unknown(
    impatient: Bench, how: Resolution, state: RunState
) -> None:
    bench = impatient
    run_id = await _unknown(bench)
    held = await bench.sql("SELECT count(*) FROM chatops.run_services WHERE run_id = %s", run_id)
    assert held == [(1,)]

    async with bench.database.transaction() as conn:
        await runs.resolve_unknown_step(conn, run_id=run_id, position=SCALE_STEP, person=OLIVIA, how=how)
        to = RunState.FAILED if how == "abort" else RunState.RUNNING
        assert await runs.transition_run(conn, run_id=run_id, from_=[RunState.UNKNOWN], to=to)
    run, steps = await bench.ended(run_id)

    assert run.state is state, steps
    assert bench.wire.mutations == ["commitPatch"]  # the retry finds that it was done


async def test_deploy_between_approval_and_start_voids(bench: Bench) -> None:
    old = bench.railway.commits[1].sha[:8]
    run_id = await bench.file_command("rollback", service="api", to=old)
    bench.railway.deploy("dragonfly-api", bench.railway.commits[0].sha)
    await bench.railway.wait_until_serving(60)
    async with asyncio.timeout(60):
        while bench.railway.find_service("dragonfly-api").active.commit is not bench.railway.commits[0]:  # type: ignore[union-attr]
            await asyncio.sleep(0.05)
    bench.start_runner()

    run, _ = await bench.ended(run_id)

    assert run.state is RunState.VOIDED
    assert "do something else" in (run.outcome or "")
    assert bench.wire.mutations == []


async def test_facts_that_cannot_be_read_void_nothing(bench: Bench) -> None:
    run_id = await bench.file_command("scale", service="ingest", to="2")
    bench.wire.status = 500
    bench.start_runner()
    await bench.until(run_id, lambda run, _: run.state is RunState.RUNNING)
    bench.wire.status = None

    run, steps = await bench.ended(run_id)

    assert is_proved(run.state, steps), steps


async def _cancel(bench: Bench, run_id: int) -> None:
    async with bench.database.transaction() as conn:
        assert await runs.request_cancel(conn, run_id=run_id, person=Person("U0BOSS", "T0LOCAL"))


async def test_cancelled_before_it_starts(bench: Bench) -> None:
    run_id = await bench.file_command("scale", service="ingest", to="2")
    await _cancel(bench, run_id)
    bench.start_runner()

    run, _ = await bench.ended(run_id)

    assert run.state is RunState.CANCELLED
    assert "U0BOSS" in (run.outcome or "")
    assert bench.wire.mutations == []


async def test_cancelled_during_an_act_ends_after_it_and_describes_the_system(bench: Bench) -> None:
    hold = bench.wire.hold("commitPatch", "after")
    run_id = await bench.file_command("scale", service="ingest", to="3")
    bench.start_runner()
    await hold.reached.wait()
    await _cancel(bench, run_id)
    hold.release()

    run, steps = await bench.ended(run_id)

    assert run.state is RunState.CANCELLED
    assert steps[SCALE_STEP].state is StepState.DONE
    assert "of 2 replicas" in (run.outcome or "")
    assert replicas(bench) == 2


async def test_cancelled_while_it_waits_ends_at_once(bench: Bench, make_bench: MakeBench) -> None:
    patient = await make_bench(SOAK_SECONDS="600")
    run_id = await patient.file_command("scale", service="ingest", to="2")
    patient.start_runner()
    await patient.until(run_id, lambda _, steps: steps[4].state is StepState.RUNNING)
    await _cancel(patient, run_id)

    run, steps = await bench.ended(run_id)

    assert run.state is RunState.CANCELLED
    assert steps[4].state is StepState.SKIPPED
    assert "stopped" in step_line(steps[4])


async def test_second_run_on_a_service_is_void_and_reported_why(bench: Bench) -> None:
    first = await bench.file_command("scale", service="ingest", to="2")
    second = await bench.file_command("restart", service="ingest")
    bench.start_runner()

    (one, _), (other, _) = await bench.ended(first), await bench.ended(second)

    assert {one.state, other.state} == {RunState.SUCCEEDED, RunState.VOIDED}
    winner, loser = (one, other) if one.state is RunState.SUCCEEDED else (other, one)
    assert f"run {winner.id} ({winner.title})" in (loser.outcome or "")


async def crowd(bench: Bench, people: int) -> None:
    """Approve so many restarts of one service, 20 at once, while two replicas execute them.

    All 200 at once would wait for the four sessions longer than a busy machine gives them.
    """
    plan = await bench.plan("restart", service="ingest")
    ids = [await bench.file(plan, state=RunState.PLANNED) for _ in range(people)]
    for first in range(0, people, 20):
        await asyncio.gather(*map(bench.approve, ids[first : first + 20]))
    for _ in range(2):
        bench.start_runner()

    ended = [(await bench.ended(run_id, timeout_s=120))[0] for run_id in ids]

    states = [run.state for run in ended]
    assert (states.count(RunState.SUCCEEDED), states.count(RunState.VOIDED)) == (1, people - 1)
    assert all(run.outcome for run in ended)
    assert bench.wire.mutations == ["restart"]


async def test_requests_for_one_service_run_once_and_the_others_are_void_with_a_reason(make_bench: MakeBench) -> None:
    await crowd(await make_bench(settings=CROWDED), 20)


@pytest.mark.chaos
@pytest.mark.timeout(300)
async def test_of_200_on_one_service_one_runs_and_the_others_are_reported(make_bench: MakeBench) -> None:
    await crowd(await make_bench(settings=CROWDED), 200)


async def test_a_full_replica_takes_the_next_run_when_one_ends(make_bench: MakeBench) -> None:
    bench = await make_bench(settings=replace(PATIENT, runs_at_once=1))
    hold = bench.wire.hold("commitPatch", "before")
    first = await bench.file_command("scale", service="ingest", to="2")
    second = await bench.file_command("restart", service="api")
    bench.start_runner()
    await hold.reached.wait()
    await asyncio.sleep(QUIET_S)

    assert (await bench.read(second))[0].state is RunState.APPROVED
    hold.release()
    assert (await bench.ended(first))[0].state is RunState.SUCCEEDED
    assert (await bench.ended(second))[0].state is RunState.SUCCEEDED


async def test_a_full_replica_still_stops_the_workers(make_bench: MakeBench) -> None:
    bench = await make_bench(settings=replace(PATIENT, runs_at_once=1))
    hold = bench.wire.hold("restart", "before")
    await bench.file_command("restart", service="api")
    bench.start_runner()
    await hold.reached.wait()
    stop = await bench.file_command("stop-workers", service="ingest", reason="wrong amounts")

    assert (await bench.ended(stop))[0].state is RunState.SUCCEEDED
    hold.release()


async def test_freeze_that_fails_is_reported_and_never_blocks(bench: Bench) -> None:
    hold = bench.wire.hold("setAutoDeploy", "before", status=403)
    hold.release()
    old = bench.railway.commits[1].sha[:8]
    run_id = await bench.file_command("rollback", service="ingest", to=old)
    bench.start_runner()

    run, steps = await bench.ended(run_id)

    assert run.state is RunState.SUCCEEDED, steps
    assert "not proved" in (run.outcome or "")
    assert "will overwrite" in (run.outcome or "")


async def test_freeze_that_railway_only_says_yes_to_is_reported(bench: Bench) -> None:
    old = bench.railway.commits[1].sha[:8]
    run_id = await bench.file_command("rollback", service="ingest", to=old)
    hold = bench.wire.hold("rollBack", "before")
    bench.railway.set_faults(Faults(ignore_changes=True))
    bench.start_runner()
    await hold.reached.wait()
    bench.railway.set_faults(Faults())
    hold.release()

    run, steps = await bench.ended(run_id)

    not_done = "not done: Railway: it accepted the change, and auto-deploy is not switched"
    assert (steps[0].note or "").startswith(not_done)
    assert run.state is RunState.SUCCEEDED, steps
    assert "will overwrite" in (run.outcome or "")
    assert bench.wire.mutations == ["setAutoDeploy", "rollBack"]


async def test_freeze_is_not_proved_while_auto_deploy_cannot_be_read(bench: Bench) -> None:
    bench.wire.hold("readAutoDeploy", "before", status=403).release()
    run_id = await bench.file_command("rollback", service="ingest", to=bench.railway.commits[1].sha[:8])
    bench.start_runner()

    run, steps = await bench.ended(run_id)

    assert (steps[0].step["kind"], steps[0].state) == ("FreezeAutoDeploy", StepState.NOT_PROVED)
    assert run.state is RunState.SUCCEEDED, steps
    assert "not proved" in (run.outcome or "")


async def test_database_away_in_the_middle(make_bench: MakeBench, database_urls: DatabaseUrls) -> None:
    """The act was sent; its outcome is written once the database is back, by the replica that takes the lease then."""
    async with Line(database_urls.bot).serve() as line:
        bench = await make_bench(dsn=line.dsn)
        run_id = await bench.file_command("scale", service="ingest", to="2")
        hold = bench.wire.hold("commitPatch", "after")
        bench.start_runner()
        await hold.reached.wait()
        line.cut()
        hold.release()
        await asyncio.sleep(bench.settings.act_lease_s)
        line.mend()

        run, steps = await bench.ended(run_id)

        assert is_proved(run.state, steps), steps
        assert bench.wire.mutations == ["commitPatch"]
        await bench.stop_runners()
        await bench.database.close()


async def test_a_run_of_a_newer_version_is_not_executed(bench: Bench) -> None:
    run_id = await bench.file_command("scale", service="ingest", to="2")
    await bench.sql("ALTER TABLE chatops.runs DISABLE TRIGGER USER")
    await bench.sql("UPDATE chatops.runs SET kinds = kinds || '{TeleportService}' WHERE id = %s", run_id)
    bench.start_runner()

    await asyncio.sleep(QUIET_S)

    assert (await bench.read(run_id))[0].state is RunState.APPROVED


async def test_run_does_not_start_while_another_has_its_service(bench: Bench) -> None:
    """It was requested after the other one had started, so it was not voided with those that waited."""
    first = await bench.file_command("scale", service="ingest", to="2")
    hold = bench.wire.hold("commitPatch", "before")
    bench.start_runner()
    await hold.reached.wait()

    second, steps = await bench.ended(await bench.file_command("restart", service="ingest"))

    assert second.state is RunState.VOIDED
    assert (second.outcome or "").startswith(f"Not started: run {first} (")
    assert all(step.started_at is None for step in steps)
    hold.release()
    assert (await bench.ended(first))[0].state is RunState.SUCCEEDED


async def test_pre_empting_run_waits_for_the_call_that_is_out(bench: Bench) -> None:
    """A scale's call is under way: a rollback that pre-empts it acts once the call can have no effect any more."""
    scale = await bench.file_command("scale", service="ingest", to="2")
    hold = bench.wire.hold("commitPatch", "before")
    bench.start_runner()
    await hold.reached.wait()

    old = bench.railway.commits[1].sha[:8]
    run, steps = await bench.ended(await bench.file_command("rollback", service="ingest", to=old))

    assert (await bench.read(scale))[0].state is RunState.CANCELLED
    first_act = min(step.started_at for step in steps if step.intent is not None and step.started_at)
    assert run.started_at is not None
    # Renewed at most 0.3 s before; the rest is for a busy machine.
    assert (first_act - run.started_at).total_seconds() > bench.settings.act_lease_s / 2


async def test_unlock_voids_no_scale_that_waits(bench: Bench) -> None:
    await bench.sql("INSERT INTO chatops.service_locks (service, owner, reason) VALUES (%s, 'U1', 'x')", INGEST)
    scale = await bench.file(await bench.plan("scale", service="ingest", to="2"), state=RunState.PLANNED)
    bench.start_runner()

    unlocked, _ = await bench.ended(await bench.file_command("unlock", service="ingest", reason="mended"))
    waits = (await bench.read(scale))[0].state
    await bench.ended(await bench.file_command("restart", service="ingest"))

    assert (unlocked.state, waits) == (RunState.SUCCEEDED, RunState.PLANNED)
    assert (await bench.read(scale))[0].state is RunState.VOIDED
