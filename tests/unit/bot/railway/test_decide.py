"""Decisions on deployments: those that are news, and the progress of a rollout."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.railway.decide import (
    ARRIVE,
    SETTLE,
    Join,
    Memory,
    Progress,
    Remember,
    arrived,
    decide,
    is_overdue,
    is_settled,
    progress,
    skipped,
)
from services.domain.deployments import Deployment, DeploymentStatus, ExternalDeploy, ServiceState
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.unit.playbooks.builders import NOW, deployment, sha, state

OLD = deployment("old-api", sha("a"), age_h=9)
NEW = deployment("new-api", sha("b"), age_h=0)
COMING = replace(NEW, status=DeploymentStatus.BUILDING)
FAILED = replace(NEW, status=DeploymentStatus.FAILED)


def api(serving: Deployment | None, latest: Deployment | None = None) -> dict[Service, ServiceState]:
    active = () if serving is None else (serving,)
    return {Service.API: ServiceState(Service.API, "s-api", active, latest or serving)}


def memory(**changes: Any) -> Memory:
    return replace(Memory(is_first=False, seen={"old-api"}, ours=(), taken=(), open=()), **changes)


def external_deploy(**changes: Any) -> ExternalDeploy:
    return replace(ExternalDeploy(7, sha("b"), NOW, None, {Service.API: "new-api"}), **changes)


def test_new_deployment_in_progress_is_joined() -> None:
    assert decide(api(OLD, COMING), memory()) == [Join(None, Service.API, COMING)]


def test_deployments_of_the_first_read_are_only_remembered() -> None:
    moves = decide(api(OLD, COMING), memory(is_first=True, seen=()))

    assert moves == [Remember(Service.API, OLD), Remember(Service.API, COMING)]


def test_a_known_deployment_is_not_news() -> None:
    assert decide(api(NEW), memory(seen={"new-api"})) == []


def test_a_deployment_of_our_run_is_not_news() -> None:
    assert decide(api(NEW), memory(ours={"new-api"}, taken={Service.API})) == [Remember(Service.API, NEW)]


def test_while_a_run_has_the_service_no_one_can_report_yet() -> None:
    assert decide(api(NEW), memory(taken={Service.API})) == []
    assert decide(api(NEW), memory(taken={Service.INGEST})) == [Join(None, Service.API, NEW)]


def test_a_skipped_deployment_is_not_news_and_is_listed_beside_the_others() -> None:
    left_out = replace(deployment("new-ingest", sha("b")), status=DeploymentStatus.SKIPPED)
    ingest = {Service.INGEST: replace(state(Service.INGEST), latest=left_out)}

    assert Join(None, Service.INGEST, left_out) not in decide(api(NEW) | ingest, memory())
    assert skipped(external_deploy(), api(NEW) | ingest) == (Service.INGEST,)
    assert skipped(external_deploy(commit_sha=sha("c")), ingest) == ()


def test_the_same_commit_joins_the_rollout_that_is_open() -> None:
    assert decide(api(NEW), memory(open=[external_deploy()])) == [Join(7, Service.API, NEW)]
    assert decide(api(NEW), memory(open=[external_deploy(commit_sha=sha("c"))])) == [Join(None, Service.API, NEW)]


@pytest.mark.parametrize(
    ("services", "how"),
    [
        (api(OLD, COMING), Progress.COMING),
        (api(NEW), Progress.SERVES),
        (api(OLD, FAILED), Progress.FAILED),
        (api(replace(NEW, status=DeploymentStatus.CRASHED)), Progress.FAILED),
        (api(OLD, replace(NEW, status=DeploymentStatus.SKIPPED)), Progress.SKIPPED),
        (api(OLD, replace(NEW, status=DeploymentStatus.NEEDS_APPROVAL)), Progress.HELD),
        (api(deployment("newer", sha("c"))), Progress.GONE),
        (api(replace(NEW, stopped=True)), Progress.GONE),
        ({}, Progress.GONE),
    ],
)
def test_how_far_a_deployment_is(services: dict[Service, ServiceState], how: Progress) -> None:
    assert progress(external_deploy(), services) == {Service.API: how}


def test_external_deployment_is_settled_when_none_is_in_progress() -> None:
    both = {Service.API: Progress.SERVES, Service.INGEST: Progress.COMING}

    assert not is_settled(both)
    assert is_settled(both | {Service.INGEST: Progress.FAILED})
    assert arrived(both) == (Service.API,)


def test_external_deployment_is_overdue_at_its_limit() -> None:
    second = timedelta(seconds=1)

    assert is_overdue(external_deploy(settled_at=NOW), NOW + SETTLE)
    assert not is_overdue(external_deploy(settled_at=NOW), NOW + SETTLE - second)
    assert is_overdue(external_deploy(), NOW + ARRIVE)
    assert not is_overdue(external_deploy(), NOW + ARRIVE - second)
    assert not is_overdue(external_deploy(settled_at=NOW + ARRIVE), NOW + ARRIVE)


def test_an_unknown_commit_is_watched_all_the_same() -> None:
    nameless = replace(NEW, commit_sha=None)

    assert decide(api(nameless), memory(open=[external_deploy()])) == [Join(None, Service.API, nameless)]


def test_all_services_of_a_push_are_news_oldest_first() -> None:
    services = {
        service: state(service, current=deployment(f"n-{service.short}", sha("b"), age_h=n))
        for n, service in enumerate(RUNBOOK.services)
    }

    moves = decide(services, memory())

    assert [move.deployment.id for move in moves] == ["n-enforcement", "n-ingest", "n-api"]
