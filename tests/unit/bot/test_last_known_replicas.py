"""The number of workers that should run, which is remembered while Railway does not answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bot.last_known import ReplicaMemory
from services.domain.deployments import Deployment, DeploymentStatus, ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service, WorkerType
from services.domain.systems import RUNBOOK

SERVING = Deployment("d", DeploymentStatus.SUCCESS, datetime(2026, 1, 5, tzinfo=UTC))
INGEST = ServiceState(Service.INGEST, "s", (SERVING,), SERVING, replicas_configured=2)
SILENT = Unavailable("Railway", "HTTP 500")


def test_the_last_known_replicas_count_while_railway_does_not_answer() -> None:
    memory = ReplicaMemory()
    memory.recall({Service.INGEST: INGEST}, RUNBOOK)

    assert memory.recall(SILENT, RUNBOOK).counts == {WorkerType.INGEST: 2, WorkerType.ENFORCEMENT: SILENT}


def test_no_one_expects_workers_of_a_service_that_was_stopped() -> None:
    stopped = replace(INGEST, active=(replace(SERVING, stopped=True),))

    assert ReplicaMemory().recall({Service.INGEST: stopped}, RUNBOOK).counts[WorkerType.INGEST] == 0
