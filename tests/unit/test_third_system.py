"""A made-up third system: its value is all that the checks and plans need (docs/systems.md, "Add a system")."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playbooks import stop_workers
from playbooks.checks import deployments, heartbeats, queue, security, sha
from playbooks.model import Status
from services.domain.database import SessionRole
from services.domain.errors import Unavailable
from services.domain.jobs import Heartbeat
from services.domain.services import Service, WorkerType
from services.domain.systems import RUNBOOK, CommitSource, GoldenPathKind, OperatedService, System
from services.domain.thresholds import StaleLimits
from tests.unit.playbooks.builders import NOW, load, made, state

NEST = Service.declare("owl-nest", "nest")
HUNTER = Service.declare("owl-hunter", "hunter", WorkerType("owl_hunter"))
OWL: System = replace(
    RUNBOOK,
    name="owl",
    operated=(
        OperatedService(NEST, ("owl serve",), ("OWL_KEY",), ("owl",), CommitSource.HEALTH),
        OperatedService(HUNTER, ("owl hunt",), (), ("owl",), CommitSource.HEARTBEAT, job_types=("hunt",)),
    ),
    columns=frozenset({"owl.hunts.prey"}),
    roles=("owl",),
    golden_path=GoldenPathKind.UPLOAD,
)
SILENT = Unavailable("database", "away")


def test_third_system_has_its_own_services_under_their_short_names() -> None:
    assert (OWL.api, OWL.workers, OWL.worker_types) == (NEST, (HUNTER,), ("owl_hunter",))
    assert OWL.find_services("all") == (HUNTER, NEST)
    assert OWL.find_services("ingest") is None
    assert Service("owl-hunter") is HUNTER


def test_third_system_is_checked_for_its_services_only() -> None:
    beat = Heartbeat("owl-1", "owl_hunter", "running", NOW)
    limits = StaleLimits()

    found = [
        *deployments.check({one: state(one) for one in OWL.services}, OWL),
        *heartbeats.check(heartbeats.Facts(NOW, [beat], {WorkerType("owl_hunter"): 1}, limits, system=OWL)),
        *sha.check(sha.Facts(NOW, limits, SILENT, SILENT, SILENT, system=OWL)),
        *queue.check_claiming(queue.ClaimingFacts(NOW, limits, [beat], {HUNTER: None}, system=OWL)),
        *security.check_roles([SessionRole("owl-hunter:1", "owl")], OWL),
    ]

    assert {one.service for one in found} == {NEST, HUNTER, None}
    statuses = {one.check: one.status for one in found}
    assert statuses["heartbeats.hunter"] is statuses["claiming.hunter"] is statuses["roles.hunter"] is Status.OK


def test_third_system_stops_its_own_workers() -> None:
    facts = stop_workers.Facts("prod", {one: state(one) for one in OWL.services}, replace(load(), system=OWL))

    planned = made(stop_workers.plan(facts))

    assert planned.services == {HUNTER}
    assert planned.undo == "scale hunter 1"


@pytest.mark.parametrize(("job_type", "service"), [("hunt", HUNTER), ("simplicity_ingest", None)])
def test_third_system_knows_what_its_workers_claim(job_type: str, service: Service | None) -> None:
    assert OWL.service_of_job(job_type) is service
