"""The descriptions of steps, and their instructions by hand."""

import typing
from dataclasses import fields
from typing import Any

import pytest

from playbooks.steps import (
    STEPS,
    ApplySqlFile,
    DeployCommit,
    RequeueJobs,
    RollBackDeployment,
    ScaleService,
    Step,
    StopService,
    VerifyHeartbeats,
    VerifySha,
)
from services.domain.services import Service

VALUES: dict[Any, Any] = {
    int: 3,
    str: "8d02b64e" * 5,
    str | None: "8d02b64e",
    Service: Service.INGEST,
    tuple[Service, ...]: (Service.INGEST,),
    tuple[str, ...]: ("a", "b"),
}


def example(kind: type[Step]) -> Step:
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {field.name: VALUES[hints[field.name]] for field in fields(kind)}
    return kind(**values)


@pytest.mark.parametrize("kind", STEPS.values(), ids=STEPS.keys())
def test_each_step_reports_what_it_does(kind: type[Step]) -> None:
    words = example(kind).describe()

    assert words[0].isupper()
    assert "None" not in words
    assert len(words) < 120


def test_numbers_are_from_and_to() -> None:
    assert ScaleService(Service.INGEST, 1, 2).describe() == "Set ingest from 1 to 2 replicas"


@pytest.mark.parametrize(
    ("expected", "words"), [(1, "1 worker of ingest is alive"), (2, "2 workers of ingest are alive")]
)
def test_one_worker_beats(expected: int, words: str) -> None:
    assert VerifyHeartbeats(Service.INGEST, expected, 60).describe() == f"Verify that {words}"


@pytest.mark.parametrize(
    ("step", "reported"),
    [
        (ScaleService(Service.INGEST, 1, 2), "Railway → dragonfly-worker-ingest → Settings → Replicas → 2"),
        (StopService(Service.INGEST, "d-1", 1), "Railway → dragonfly-worker-ingest → Deployments → d-1 → Remove"),
        (RollBackDeployment(Service.API, "d-2", "d-1", "ab" * 20), "Deployments → d-1 (abababab) → Rollback"),
        (DeployCommit(Service.API, "ab" * 20, None), f"git checkout {'ab' * 20} && railway up --service dragonfly-api"),
        (VerifySha(Service.API, "ab" * 20, 9), "/api/health | jq .git_sha  → abababab"),
        (VerifySha(Service.INGEST, "ab" * 20, 9), "FROM ops.worker_heartbeats"),
        (ApplySqlFile("20260101000000", "c", "h"), "-f sql/rollbacks/20260101000000_rollback.sql"),
        (RequeueJobs(("a", "b")), "ops.requeue_jobs('{a,b}'::uuid[]"),
    ],
)
def test_a_step_reports_where_to_click_or_what_to_type(step: Step, reported: str) -> None:
    assert reported in (step.by_hand() or "")
