"""The runbook's "Key Log Patterns", and the lines that Postgres and our programs write instead of them."""

from __future__ import annotations

import pytest

from playbooks.log_lines import Topic
from playbooks.log_patterns import RUNBOOK, Sign, Symptom

recognise, ends = RUNBOOK.recognise, RUNBOOK.ends
JOB = "123e4567-e89b-12d3-a456-426614174000"

SUCCESSES = [
    ("PostgreSQL connection established", Topic.CONNECTIVITY),
    ("Pool size: 5, max overflow: 10", Topic.CONNECTIVITY),
    ("claim_pending_job: claimed job abc123", Topic.PERMISSIONS),
    ("update_job_status: job abc123 -> completed", Topic.PERMISSIONS),
    (f"[ingest_processor] Claimed job: {JOB}", Topic.CLAIMING),
    ("[ingest_processor] Processing batch: smoke-test-valid", Topic.CLAIMING),
    (f"[ingest_processor] Job completed: {JOB}", Topic.CLAIMING),
    ("POST /api/v1/intake/upload 202 31 ms", Topic.REQUESTS),
]
FAILURES = [
    ("FATAL: password authentication failed for user", Topic.CONNECTIVITY, Symptom.NOT_CLAIMING),
    ("Connection refused", Topic.CONNECTIVITY, Symptom.UNREACHABLE),
    ('connection to server at "10.0.0.1", port 5432 failed: Connection refused', Topic.CONNECTIVITY,
     Symptom.UNREACHABLE),
    ("heartbeat not written: server not reachable", Topic.CONNECTIVITY, Symptom.UNREACHABLE),
    ("claim_pending_job: server is shutting down", Topic.CONNECTIVITY, Symptom.UNREACHABLE),
    ("heartbeat not written: server is starting up", Topic.CONNECTIVITY, Symptom.UNREACHABLE),
    ("FATAL: the database system is in recovery mode", Topic.CONNECTIVITY, Symptom.UNREACHABLE),
    ("FATAL: the database system is not yet accepting connections", Topic.CONNECTIVITY, Symptom.UNREACHABLE),
    ("reap_jobs: server is recovering from a crash", Topic.CONNECTIVITY, Symptom.UNREACHABLE),
    ("update_job_status: server is not accepting connections now", Topic.CONNECTIVITY, Symptom.UNREACHABLE),
    ("claim_pending_job: the server restarts after a crash", Topic.CONNECTIVITY, Symptom.UNREACHABLE),
    ("permission denied for table ops.job_queue", Topic.PERMISSIONS, Symptom.PERMISSION_DENIED),
    ("claim_pending_job: permission denied for function claim_pending_job", Topic.PERMISSIONS,
     Symptom.PERMISSION_DENIED),
    ("ERROR: function ops.claim_pending_job does not exist", Topic.PERMISSIONS, Symptom.MISSING_OBJECT),
    ('relation "ops.job_queue" does not exist', Topic.PERMISSIONS, Symptom.MISSING_OBJECT),
    ("[ingest_processor] Job failed: InFailedSqlTransaction", Topic.CLAIMING, Symptom.FAILED_TRANSACTION),
    ("[ingest_processor] Job failed: KeyError at handler.py:12", Topic.CLAIMING, None),
    ("[ingest_processor] CRITICAL: the worker failed (ValueError)", Topic.CLAIMING, None),
    ("[ingest_processor] CRITICAL: Crash loop detected after 10 failures", Topic.CRASH_LOOP, Symptom.CRASH_LOOP),
    (f"reap_jobs: job {JOB} of a silent worker -> pending", Topic.CLAIMING, Symptom.STALE_HEARTBEAT),
    ("GET /api/health 503 12 ms", Topic.REQUESTS, Symptom.API_503),
]  # fmt: skip
NEITHER = [
    "",
    "Entering main loop...",
    "Worker stopped",
    "│  Worker ID:    ingest-abc123                                        │",
    "GET /api/live 200 1 ms",
    "GET /api/v1/intake/batches 401 1 ms",
]


@pytest.mark.parametrize(("line", "topic"), SUCCESSES)
def test_a_line_of_success(line: str, topic: Topic) -> None:
    pattern = recognise(line)

    assert pattern is not None
    assert (pattern.sign, pattern.topic, pattern.symptom) == (Sign.SUCCESS, topic, None)


@pytest.mark.parametrize(("line", "topic", "symptom"), FAILURES)
def test_a_line_of_failure(line: str, topic: Topic, symptom: Symptom | None) -> None:
    pattern = recognise(line)

    assert pattern is not None
    assert (pattern.sign, pattern.topic, pattern.symptom) == (Sign.FAILURE, topic, symptom)


def test_idleness_is_neither() -> None:
    pattern = recognise("[ingest_processor] No pending jobs found (idle)")

    assert pattern is not None
    assert pattern.sign is Sign.IDLE


@pytest.mark.parametrize("line", NEITHER)
def test_recognise_is_none_for_other_lines(line: str) -> None:
    assert recognise(line) is None


@pytest.mark.parametrize(
    ("failure", "topic", "later", "is_over"),
    [
        ("Connection refused", Topic.CONNECTIVITY, "PostgreSQL connection established", True),
        ("Connection refused", Topic.CONNECTIVITY, "[ingest_processor] No pending jobs found (idle)", True),
        ("Connection refused", Topic.CONNECTIVITY, "Entering main loop...", False),
        ("GET /api/health 503 1 ms", Topic.REQUESTS, "GET /api/health 200 1 ms", True),
        ("GET /api/health 503 1 ms", Topic.REQUESTS, "GET /api/live 200 1 ms", False),
        ("permission denied for table judgments", Topic.PERMISSIONS, f"claim_pending_job: claimed job {JOB}", False),
        ("permission denied for table judgments", Topic.PERMISSIONS, f"[ingest_processor] Job completed: {JOB}", True),
        ("claim_pending_job: permission denied for function claim_pending_job", Topic.PERMISSIONS,
         f"claim_pending_job: claimed job {JOB}", True),
        ("Crash loop detected after 10 failures", Topic.CRASH_LOOP, "PostgreSQL connection established", False),
        ("boom", Topic.OTHER, f"[ingest_processor] Job completed: {JOB}", False),
    ],
)  # fmt: skip
def test_log_line_ends_only_the_failures_that_it_disproves(
    failure: str, topic: Topic, later: str, is_over: bool
) -> None:
    assert ends(failure, topic, later) is is_over
