"""A made-up third system: the checks and plans need nothing but its value (docs/systems.md, "Add a system")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from playbooks import stop_workers
from playbooks.checks import deployments, heartbeats, queue, security, sha
from playbooks.model import Status
from services.domain.database import SessionRole
from services.domain.errors import Unavailable
from services.domain.jobs import Heartbeat
from services.domain.services import Service, WorkerType
from services.domain.systems import System
from services.domain.thresholds import StaleLimits
from tests.owl import declared_owl
from tests.unit.playbooks.builders import NOW, load, made, state

SILENT = Unavailable("database", "away")


@pytest.fixture(scope="module", name="owl")
def _owl() -> Iterator[System]:
    with declared_owl() as system:
        yield system


def test_third_system_has_its_own_services_under_their_short_names(owl: System) -> None:
    nest, hunter = owl.services
    assert (owl.api, owl.workers, owl.worker_types) == (nest, (hunter,), ("owl_hunter",))
    assert owl.find_services("all") == (hunter, nest)
    assert owl.find_services("ingest") is None
    assert Service("owl-hunter") is hunter


def test_third_system_is_checked_for_its_services_only(owl: System) -> None:
    nest, hunter = owl.services
    beat = Heartbeat("owl-1", "owl_hunter", "running", NOW)
    limits = StaleLimits()

    found = [
        *deployments.check({one: state(one) for one in owl.services}, owl),
        *heartbeats.check(heartbeats.Facts(NOW, [beat], {WorkerType("owl_hunter"): 1}, limits, system=owl)),
        *sha.check(sha.Facts(NOW, limits, SILENT, SILENT, SILENT, system=owl)),
        *queue.check_claiming(queue.ClaimingFacts(NOW, limits, [beat], {hunter: None}, system=owl)),
        *security.check_roles([SessionRole("owl-hunter:1", "owl")], owl),
    ]

    assert {one.service for one in found} == {nest, hunter, None}
    statuses = {one.check: one.status for one in found}
    assert statuses["heartbeats.hunter"] is statuses["claiming.hunter"] is statuses["roles.hunter"] is Status.OK


def test_third_system_stops_its_own_workers(owl: System) -> None:
    (hunter,) = owl.workers
    facts = stop_workers.Facts("prod", {one: state(one) for one in owl.services}, replace(load(), system=owl))

    planned = made(stop_workers.plan(facts))

    assert planned.services == {hunter}
    assert planned.undo == "scale hunter 1"


@pytest.mark.parametrize(("job_type", "service"), [("hunt", "owl-hunter"), ("simplicity_ingest", None)])
def test_third_system_knows_what_its_workers_claim(owl: System, job_type: str, service: str | None) -> None:
    assert owl.service_of_job(job_type) == service
