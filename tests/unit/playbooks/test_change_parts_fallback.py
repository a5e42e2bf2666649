"""The fallback after a step that failed and changed nothing."""

from __future__ import annotations

import pytest

from playbooks.change_parts import fall_back
from playbooks.steps import (
    ApplySqlFile,
    AwaitDeployment,
    CheckDatabaseReady,
    StartService,
    Step,
    StopService,
    VerifyApiHealth,
    VerifyHeartbeats,
    VerifyNothingRuns,
    VerifySchemaHead,
    VerifyStartupLog,
)
from services.domain.services import Service
from services.domain.systems import RUNBOOK

STOPS = (StopService(Service.INGEST, "d-ingest", 2), StopService(Service.API, "d-api", 1))
STEPS: tuple[Step, ...] = (
    *STOPS,
    VerifyNothingRuns(RUNBOOK.workers),
    ApplySqlFile("2", "c", "2"),
    VerifySchemaHead("1"),
)


def test_the_schema_is_proved_and_what_was_stopped_starts_at_its_former_count() -> None:
    assert fall_back(STEPS, 3) == (
        VerifySchemaHead("2"),
        StartService(Service.INGEST, "d-ingest", 2),
        AwaitDeployment(Service.INGEST, 300),
        VerifyStartupLog(Service.INGEST, 120),
        VerifyHeartbeats(Service.INGEST, 2, 180),
        StartService(Service.API, "d-api", 1),
        AwaitDeployment(Service.API, 300),
        VerifyApiHealth(120),
    )


def test_fall_back_starts_no_service_that_the_plan_did_not_stop() -> None:
    assert fall_back((CheckDatabaseReady(), ApplySqlFile("2", "c", "2")), 1) == (VerifySchemaHead("2"),)


@pytest.mark.parametrize("failed", [0, 2, 4])
def test_fall_back_is_empty_for_other_steps(failed: int) -> None:
    assert fall_back(STEPS, failed) == ()
