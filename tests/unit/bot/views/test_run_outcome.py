"""The sentences about a run's outcome and about the state in which it left the system."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.views.run_outcome import outcome_words, sample_words, schema_words, standing_words
from services.domain.database import AppliedMigration, MigrationStatus
from services.domain.deployments import Deployment, DeploymentStatus, Instance, ServiceState
from services.domain.errors import Unavailable
from services.domain.runs import IN_DOUBT, RunState, RunStep, StepState
from services.domain.services import Service

DONE, NOT_PROVED, PENDING = StepState.DONE, StepState.NOT_PROVED, StepState.PENDING


def journal(*states: StepState, note: str | None = None) -> list[RunStep]:
    return [
        RunStep(1, n, {"kind": "CheckDatabaseReady"}, state, None, None, note, None, None)
        for n, state in enumerate(states)
    ]


def test_outcome_names_unproved_steps() -> None:
    steps = journal(DONE, NOT_PROVED, note="the log lacks: Entering main loop")

    assert outcome_words(RunState.SUCCEEDED, steps, planned=2, standing="") == (
        f"{IN_DOUBT}: the log lacks: Entering main loop."
    )


def test_cancelled_run_names_its_actor_and_how_the_system_was_left() -> None:
    words = outcome_words(
        RunState.CANCELLED,
        journal(DONE, PENDING),
        planned=2,
        cancelled_by="U1",
        standing="ingest runs 2 of 3 replicas of a1b2c3d4.",
    )

    assert words == "Cancelled by U1 after 1 of 2 steps. ingest runs 2 of 3 replicas of a1b2c3d4."


def test_failed_run_reports_where_and_why() -> None:
    steps = journal(DONE, StepState.FAILED, note="not within 180 s: 1 of 2 ingest workers beat")

    words = outcome_words(RunState.FAILED, steps, planned=2, standing="ingest is stopped.")

    assert words == "Stopped at step 2 of 2: not within 180 s: 1 of 2 ingest workers beat. ingest is stopped."


def test_outcome_reports_the_failure_and_the_fallback() -> None:
    steps = journal(DONE, StepState.FAILED, StepState.SKIPPED, DONE, DONE, note="not done: no such table")

    words = outcome_words(RunState.FAILED, steps, planned=3, standing="ingest runs 1 of 1 replicas of a1b2c3d4.")

    assert "step 2 of 3: not done: no such table. Nothing was changed" in words
    assert "started again" in words
    assert words.endswith("ingest runs 1 of 1 replicas of a1b2c3d4.")


def test_outcome_reports_services_that_did_not_start_again() -> None:
    steps = journal(DONE, StepState.FAILED, StepState.SKIPPED, DONE, StepState.FAILED, note="why")

    words = outcome_words(RunState.FAILED, steps, planned=3, standing="ingest is stopped.")

    assert words.index("step 2 of 3: why") < words.index("stopped at step 5 of 5: why")
    assert "started again" not in words
    assert words.endswith("ingest is stopped.")


def test_standing_reports_replicas_and_commit() -> None:
    instances = (Instance("1", "RUNNING"), Instance("2", "RUNNING"), Instance("3", "CRASHED"))
    serving = Deployment("d", DeploymentStatus.SUCCESS, datetime.now(UTC), commit_sha="a" * 40, instances=instances)
    state = ServiceState(Service.INGEST, "s", active=(serving,), replicas_configured=3)

    words = standing_words([Service.INGEST, Service.API], {Service.INGEST: state})

    assert words == "ingest runs 2 of 3 replicas of aaaaaaaa."
    assert "cannot be read" in standing_words([Service.INGEST], Unavailable("Railway", "HTTP 500"))


def test_the_schema_is_reported_too() -> None:
    applied = AppliedMigration("20251201000000", "a", datetime.now(UTC), None)

    assert schema_words(MigrationStatus((applied,), (), (), ())) == "The schema is at 20251201000000."
    assert "cannot be read" in schema_words(Unavailable("database", "away"))


def golden_path(upload: StepState, removal: StepState, **evidence: str) -> list[RunStep]:
    note = "there is no test batch to remove" if not evidence else "the test batch is gone"
    return [
        RunStep(1, 0, {"kind": "UploadSample"}, upload, None, None, None, None, None),
        RunStep(1, 1, {"kind": "RemoveSample"}, removal, None, evidence or None, note, None, None),
    ]


MAY_BE_THERE = "Its test batch may still exist: `golden-path --clean` removes it."


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (journal(DONE), ""),
        (golden_path(PENDING, PENDING), ""),
        (golden_path(PENDING, DONE), "There is no test batch to remove."),
        (golden_path(StepState.UNKNOWN, PENDING), MAY_BE_THERE),
        (golden_path(DONE, StepState.FAILED), MAY_BE_THERE),
        (golden_path(StepState.FAILED, DONE, removed="b1"), "The test batch is gone."),
        (
            golden_path(StepState.FAILED, DONE),
            "There is no test batch to remove. If the upload arrives late: `golden-path --clean`.",
        ),
    ],
)
def test_sample_words_report_the_remains_of_a_golden_path(steps: list[RunStep], words: str) -> None:
    assert sample_words(steps) == words
