"""Properties of every change's plan, for any facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.changes import CHANGES
from playbooks import deploy, golden_path, redeploy, requeue, restart, rollback, scale, stop_workers, unlock
from playbooks.change_parts import Load
from playbooks.model import NoPlan, Risk
from playbooks.plan import Plan, decode_plan, encode_plan
from playbooks.steps import Soak, StopService, VerifyHeartbeats, VerifyNothingRuns
from services.domain.batches import GoldenBatch
from services.domain.database import ConnectionUse, MigrationStatus
from services.domain.deployments import Deployment, DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.freezes import Lock
from services.domain.health import ApiHealth
from services.domain.intake import SampleFile
from services.domain.jobs import Heartbeat, Job, QueueSnapshot
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.unit.playbooks.builders import NOW, STALE_AFTER, beat, deployment, running_job, sha, state, stopped

AWAY = Unavailable("database", "no answer within 5 s")
SILENT = Load(STALE_AFTER, AWAY, AWAY, AWAY, system=RUNBOOK)
NOTHING_APPLIED = MigrationStatus((), (), (), ())


@st.composite
def loads(draw: st.DrawFn) -> Load:
    """A load with any number of workers and jobs, or one that could not be read."""
    workers = draw(st.integers(0, 5))
    beats: list[Heartbeat] = [beat(f"ingest-{n}", age_s=draw(st.integers(0, 900))) for n in range(workers)]
    running = [running_job(n, f"ingest-{n}") for n in range(draw(st.integers(0, workers)))]
    queue = QueueSnapshot(NOW, draw(st.integers(0, 10**6)), NOW, len(running), 0, 0)
    return draw(st.sampled_from([SILENT, Load(STALE_AFTER, queue, running, beats, system=RUNBOOK)]))


@st.composite
def service_states(draw: st.DrawFn, service: Service) -> ServiceState:
    replicas = draw(st.none() | st.integers(0, 6))
    made = draw(st.sampled_from([state, stopped]))(service, replicas=replicas)
    crashed = replace(deployment(f"d-{service.short}"), status=DeploymentStatus.CRASHED)
    return draw(st.sampled_from([made, replace(made, active=(), latest=crashed)]))


STATES = st.fixed_dictionaries({service: service_states(service) for service in RUNBOOK.services})
SCOPES = st.sampled_from(["api", "ingest", "enforcement", "workers", "all"])
SERVICES = st.sampled_from(list(RUNBOOK.services))


def listed(service: Service) -> list[Deployment]:
    old = deployment(f"old-{service.short}", sha("b"), age_h=9, status=DeploymentStatus.REMOVED)
    return [deployment(f"d-{service.short}"), old]


LISTED = {service: listed(service) for service in RUNBOOK.services}


@st.composite
def golden_plans(draw: st.DrawFn, now: Load) -> Plan | NoPlan:
    api = draw(st.just(AWAY) | st.just(ApiHealth(200, "ok", "prod", "a1b2c3d", True, NOW, 12.0)))
    left = [GoldenBatch(f"b-{n}", "completed", "simplicity", NOW, True) for n in range(draw(st.integers(0, 30)))]
    facts = golden_path.Facts("prod", api, draw(st.booleans()), now, SampleFile(b"x", 1), left, system=RUNBOOK)
    return golden_path.plan_clean(facts) if draw(st.booleans()) else golden_path.plan(facts, keep=draw(st.booleans()))


@st.composite
def plans(draw: st.DrawFn) -> Plan | NoPlan:  # noqa: C901 - one line a kind
    """A plan of any kind."""
    now = draw(loads())
    states, service, scope = draw(STATES), draw(SERVICES), draw(SCOPES)
    services: Sequence[Service] = RUNBOOK.find_services(scope) or ()
    locks = {service: Lock(service, "U1", "a rollback", NOW)}
    kinds = ["scale", "restart", "rollback", "deploy", "redeploy", "unlock", "stop", "requeue", "golden"]
    match draw(st.sampled_from(kinds)):
        case "scale":
            use = draw(st.just(AWAY) | st.just(ConnectionUse(10, 100)))
            each = draw(st.just(AWAY) | st.integers(1, 60))
            return scale.plan(scale.Facts("prod", states, now, use, each, 60), service, draw(st.integers(0, 6)))
        case "restart":
            return restart.plan(restart.Facts("prod", states, now), service, through_zero=draw(st.booleans()))
        case "rollback":
            past = rollback.Facts("prod", NOW, states, LISTED, AWAY, AWAY, now, {}, schema={})
            return rollback.plan(past, scope, services, sha("b"))
        case "deploy":
            going = deploy.Facts("prod", NOW, states, LISTED, {}, NOTHING_APPLIED, now, schema={})
            return deploy.plan(going, scope, services, sha("e"))
        case "redeploy":
            return redeploy.plan(redeploy.Facts("prod", NOW, states, {}, now), service)
        case "unlock":
            return unlock.plan(
                unlock.Facts("prod", NOW, draw(st.sampled_from([{}, locks])), draw(st.booleans())), service, "mended"
            )
        case "golden":
            return draw(golden_plans(now))
        case "stop":
            return stop_workers.plan(stop_workers.Facts("prod", states, now))
        case _:
            jobs = [Job(f"job-{n}", "simplicity_ingest", "failed", 1, 5, NOW) for n in range(draw(st.integers(0, 130)))]
            chosen = requeue.Chosen(tuple(job.id for job in jobs), len(jobs), jobs)
            return requeue.plan(requeue.Facts("prod", chosen, now), "g-1a2b3c4d")


@given(plans())
def test_a_refusal_reports_why_and_what_next(made: Plan | NoPlan) -> None:
    if isinstance(made, NoPlan):
        assert made.why
        assert made.what_next
        assert all(len(step.label) <= 30 for step in made.next_steps)


@given(plans())
def test_a_plan_changes_something_and_survives_its_storage(made: Plan | NoPlan) -> None:
    if isinstance(made, Plan):
        assert any(step.acts for step in made.steps)
        assert decode_plan(encode_plan(made)) == made
        assert decode_plan(encode_plan(made)).hash == made.hash


@given(plans())
def test_a_plan_is_what_its_change_declares(made: Plan | NoPlan) -> None:
    """The declaration is what the check for gaps in the policy reads."""
    if isinstance(made, Plan):
        change = CHANGES[made.playbook]
        assert list(Risk).index(made.risk) <= list(Risk).index(change.risk)
        assert bool(made.services) is change.takes_services


@given(plans())
def test_the_run_takes_every_service_that_it_acts_on(made: Plan | NoPlan) -> None:
    if isinstance(made, Plan):
        acted_on = {service for step in made.steps if step.acts for service in step.touches}
        assert acted_on <= made.services


@given(plans())
def test_counts_are_absolute_and_follow_from_each_other(made: Plan | NoPlan) -> None:
    """Never "one more": each act names its count before and after, and continues from the act before it."""
    if not isinstance(made, Plan):
        return
    counts: dict[Service, int] = {}
    for step in made.steps:
        from_, to, service = getattr(step, "from_", None), getattr(step, "to", None), getattr(step, "service", None)
        if isinstance(service, Service) and isinstance(from_, int):
            assert counts.get(service, from_) == from_
            counts[service] = 0 if isinstance(step, StopService) else to if isinstance(to, int) else from_
        elif isinstance(service, Service) and isinstance(to, int):
            counts[service] = to


@given(plans())
def test_a_soak_falls_back_to_fewer_than_it_watches(made: Plan | NoPlan) -> None:
    if isinstance(made, Plan):
        for before, step in zip(made.steps, made.steps[1:], strict=False):
            if isinstance(step, Soak) and isinstance(before, VerifyHeartbeats):
                assert step.fall_back_to == before.expected - 1 >= 1


@given(plans())
def test_nothing_but_the_emergency_stop_runs_without_anyone(made: Plan | NoPlan) -> None:
    if isinstance(made, Plan):
        assert (made.risk is Risk.BREAK_GLASS) is (made.playbook == "stop-workers")
        assert not any(isinstance(step, VerifyNothingRuns) for step in made.steps)


@given(st.data(), loads(), loads())
def test_plan_hash_does_not_depend_on_the_load(data: st.DataObject, one: Load, other: Load) -> None:
    states, service = data.draw(STATES), data.draw(SERVICES)
    to = data.draw(st.integers(0, 6))

    hashes = {
        made.hash if isinstance(made, Plan) else None
        for load in (one, other)
        for made in [scale.plan(scale.Facts("prod", states, load, AWAY, AWAY), service, to)]
    }

    assert len(hashes) == 1
