"""The services of each operated system."""

from __future__ import annotations

import copy
import json
import pickle
from collections import Counter
from contextlib import suppress

import pytest

from services.domain.services import DECLARED, Service, WorkerType, declared_for_a_while
from services.domain.systems import CIVIL, RUNBOOK, SYSTEMS, GoldenPathKind, System, find_system

systems = pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)


@systems
def test_system_has_one_api_and_a_type_for_each_worker(system: System) -> None:
    assert [service for service in system.services if service.is_api] == [system.services[0]] == [system.api]
    assert len(set(system.worker_types)) == len(system.workers) == len(system.services) - 1


@systems
def test_each_job_type_is_claimed_by_one_service(system: System) -> None:
    assert max(Counter(system.job_types).values()) == 1
    assert {system.service_of_job(job_type) for job_type in system.job_types} == set(system.workers)
    assert system.service_of_job("entity_resolve") is None


def test_civil_has_a_fourth_service_whose_worker_claims_what_ingest_claims_in_the_runbook() -> None:
    assert [service.short for service in CIVIL.services] == ["api", "ingest", "enforcement", "simplicity"]
    assert RUNBOOK.service_of_job("simplicity_ingest") is Service.INGEST
    assert CIVIL.service_of_job("simplicity_ingest") is Service.SIMPLICITY
    assert CIVIL.service_of_worker("simplicity_ingest_worker") is Service.SIMPLICITY
    assert RUNBOOK.service_of_worker("simplicity_ingest_worker") is None


def test_groups_of_services_follow_the_system() -> None:
    assert RUNBOOK.find_services("workers") == (Service.INGEST, Service.ENFORCEMENT)
    assert CIVIL.find_services("All") == (Service.INGEST, Service.ENFORCEMENT, Service.SIMPLICITY, Service.API)
    assert RUNBOOK.find_services("simplicity") is None


def test_service_is_found_by_its_name_in_railway() -> None:
    renamed = CIVIL.renamed({"simplicity": "Simplicity-Prod"})

    assert renamed.find_service("simplicity-prod") is Service.SIMPLICITY
    assert renamed.find_service("simplicity") is Service.SIMPLICITY
    assert [one.name_in_railway for one in renamed.operated][-2:] == ["dragonfly-worker-enforcement", "Simplicity-Prod"]


def test_only_a_system_whose_rows_can_go_has_the_whole_golden_path() -> None:
    assert (RUNBOOK.golden_path, RUNBOOK.uploader) == (GoldenPathKind.FULL, Service.INGEST)
    assert (CIVIL.golden_path, CIVIL.uploader) == (GoldenPathKind.UPLOAD, None)


def test_system_is_found_by_its_name() -> None:
    assert (find_system("civil"), find_system(" Runbook "), find_system("owl")) == (CIVIL, RUNBOOK, None)


def test_service_of_a_stored_name_is_the_declared_one() -> None:
    assert Service("dragonfly-worker-ingest") is Service.INGEST
    assert pickle.loads(pickle.dumps(Service.INGEST)) is copy.deepcopy(Service.INGEST) is Service.INGEST  # noqa: S301
    assert json.dumps({Service.INGEST: [Service.API]}) == '{"dragonfly-worker-ingest": ["dragonfly-api"]}'
    assert Service.INGEST.worker_type == WorkerType.INGEST == "ingest_processor"


def test_service_of_a_former_release_still_has_a_short_name() -> None:
    stored = Service("dragonfly-worker-mailer")

    assert (stored.short, stored.worker_type, stored.is_api) == ("mailer", None, False)
    assert stored == Service("dragonfly-worker-mailer")


def test_service_is_declared_in_one_way_only() -> None:
    assert Service.declare("dragonfly-worker-ingest", "ingest", WorkerType.INGEST) is Service.INGEST
    with pytest.raises(ValueError, match="another short name"):
        Service.declare("dragonfly-worker-ingest", "import", WorkerType.INGEST)


def test_names_declared_for_a_while_are_forgotten_after_an_error_too() -> None:
    before = list(DECLARED)

    with suppress(ZeroDivisionError), declared_for_a_while():
        assert Service.declare("owl-nest", "nest").is_api
        raise ZeroDivisionError

    assert list(DECLARED) == before
    assert not Service("owl-nest").is_api
