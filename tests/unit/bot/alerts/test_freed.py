"""The peaks from which a process has freed memory by itself: learned from its metrics, forgotten when it starts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.alerts.freed import FreedMemory
from bot.alerts.snapshot import Snapshot
from services.domain.deployments import Deployment, DeploymentStatus, ServiceAct
from services.domain.people import Person
from services.domain.services import Service, WorkerType
from tests.unit.bot.alerts.builders import ago
from tests.unit.bot.alerts.test_rules import beat, seen, services, state, usage, work

FELL = usage(*[0.2] * 20, 0.3, 0.42, 0.2, 0.2)  # GB; the fall was 30 s ago
FELL_S = 30


def restarted(service: Service) -> ServiceAct:
    return ServiceAct(service, "RestartDeployment", 7, "d1", ago(FELL_S), Person("U1", "T1"))


def changed(seconds: float) -> Deployment:
    return Deployment("d1", DeploymentStatus.SUCCESS, ago(9000), ago(seconds))


@pytest.mark.parametrize(
    ("service", "snapshot"),
    [
        (Service.INGEST, seen(beat(id="i1", started_at=ago(FELL_S)))),
        (Service.API, seen(work=work(acts=[restarted(Service.API)]))),
        (Service.API, seen(services=services(api=state(Service.API, active=(changed(FELL_S),))))),
    ],
    ids=["worker started", "our restart", "Railway changed its status"],
)
def test_a_fall_at_a_start_is_not_learned(service: Service, snapshot: Snapshot) -> None:
    assert FreedMemory().update(replace(snapshot, usage={service: FELL})) == {service: 0.0}


def test_freed_memory_is_kept_until_a_process_starts() -> None:
    freed, flat = FreedMemory(), {Service.INGEST: usage(0.2, 0.2)}
    old, new = beat(id="i1", started_at=ago(9000)), beat(id="i2", started_at=ago(1))

    assert freed.update(replace(seen(old), usage={Service.INGEST: FELL})) == {Service.INGEST: 0.42}
    assert freed.update(replace(seen(old), usage=flat)) == {Service.INGEST: 0.42}
    assert freed.update(replace(seen(old), usage=None)) == {Service.INGEST: 0.42}
    other = beat(id="e1", kind=WorkerType.ENFORCEMENT, started_at=ago(1))
    assert freed.update(replace(seen(old, other), usage=flat)) == {Service.INGEST: 0.42}

    assert freed.update(replace(seen(old, new), usage=flat)) == {Service.INGEST: 0.0}
    later = replace(seen(old), usage={Service.INGEST: FELL}, now=seen().now + timedelta(minutes=1))
    assert freed.update(later) == {Service.INGEST: 0.42}  # the newer heartbeat is gone: no process has started
