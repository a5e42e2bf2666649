"""The log patterns of the system `civil`: its lines, their meaning, and the words of them that people see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from playbooks.checks.logs import Facts, check
from playbooks.log_lines import Topic
from playbooks.log_patterns import CIVIL, Sign, Symptom
from playbooks.model import Finding, Status
from services.domain.deployments import LogLine
from services.domain.errors import Unavailable
from services.domain.masking import mask_line
from services.domain.masking_balanced import mask_balanced
from services.domain.services import Service
from services.domain.thresholds import NOT_CLAIMED_AFTER

NOW = datetime(2026, 11, 29, 8, tzinfo=UTC)
A_BIT = timedelta(seconds=1)
JOB = "123e4567-e89b-12d3-a456-426614174000"
CLAIMED = f"Job claimed via RPC: {JOB} (worker: ingest_processor-1a2b3c4d)"
DONE = f"Job {JOB} (ingest_csv) completed successfully"
FAILED = f"Job {JOB} (ingest_csv) failed (attempt 2): UndefinedColumn: column x does not exist"
NOTHING = "[123e4567] Inserted 0/3 judgments"
UPSERT = "Failed to upsert case 2025-CV-001234: Jane Roe v. Acme LLC, duplicate key"
BANNER = (
    "=" * 60,
    "  DRAGONFLY WORKER: ingest_processor",
    "  Git SHA:       1a2b3c4d",
    "  Worker ID:     ingest_processor-1a2b3c4d",
    "  Job Types:     ingest_csv",
    "  Poll Interval: 2.0s",
)

SIGNS = [
    ("[ingest_processor] Database connection established (32ms)", Sign.SUCCESS, Topic.CONNECTIVITY, None),
    ("[ingest_processor] DB smoke test passed", Sign.SUCCESS, Topic.CONNECTIVITY, None),
    ("Worker status: degraded → running", Sign.SUCCESS, Topic.CONNECTIVITY, None),
    (CLAIMED, Sign.SUCCESS, Topic.PERMISSIONS, None),
    (DONE, Sign.SUCCESS, Topic.CLAIMING, None),
    ("[123e4567] Inserted 3/3 judgments", Sign.SUCCESS, Topic.STORING, None),
    (NOTHING, Sign.FAILURE, Topic.STORING, Symptom.NOTHING_STORED),
    (UPSERT, Sign.FAILURE, Topic.STORING, Symptom.NOTHING_STORED),
    (FAILED, Sign.FAILURE, Topic.PERMISSIONS, Symptom.MISSING_OBJECT),
    (f"Job {JOB} (ingest_csv) failed (attempt 1): KeyError: 'x'", Sign.FAILURE, Topic.CLAIMING, None),
    (f"Job {JOB} moved to DLQ after 5 attempts", Sign.FAILURE, Topic.CLAIMING, None),
    ("Crash loop detected (10 failures)", Sign.FAILURE, Topic.CRASH_LOOP, Symptom.CRASH_LOOP),
    ("[a1b2] GET /api/v1/intake/state -> 200 (12ms)", Sign.SUCCESS, Topic.REQUESTS, None),
    ("[a1b2] POST /api/v1/intake/upload -> 500 (12ms)", Sign.FAILURE, Topic.REQUESTS, Symptom.API_503),
    ('127.0.0.1:80 - "GET /readyz HTTP/1.1" 503 Service Unavailable', Sign.FAILURE, Topic.REQUESTS, Symptom.API_503),
]
NEITHER = [
    *BANNER,
    f"Job {JOB} scheduled for retry in 20s (attempt 2/5)",
    "Received SIGTERM, initiating graceful shutdown...",
    "Worker shutdown complete",
    "[123e4567] Inserted 0/0 judgments",
    "[a1b2] GET /api/health -> 200 (1ms)",
    "[a1b2] GET /api/health/jobs -> 500 (1ms)",
    "[a1b2] GET /api/health/system -> 503 (1ms)",
    '127.0.0.1:80 - "GET /health HTTP/1.1" 200 OK',
    "[a1b2] GET /api/v1/intake/batch/x -> 404 (1ms)",
]


def lines(*messages: str, severity: str = "info", replica: str = "r1") -> list[LogLine]:
    """Log lines in the workers' format, 1 s apart, the last one now."""
    first = NOW - timedelta(seconds=len(messages) - 1)
    return [
        LogLine(first + timedelta(seconds=n), severity, f"2026-11-29 07:48:09 | INFO     | w | {message}", replica)
        for n, message in enumerate(messages)
    ]


def digest(
    seen: Sequence[LogLine] | Unavailable,
    *,
    due: datetime | Unavailable | None = None,
    service: Service = Service.INGEST,
) -> list[Finding]:
    return check(Facts(service, seen, NOW, due, patterns=CIVIL))


def states(findings: Sequence[Finding]) -> dict[str, Status]:
    return {finding.check: finding.status for finding in findings}


@pytest.mark.parametrize(("message", "sign", "topic", "symptom"), SIGNS)
def test_a_line_is_a_sign(message: str, sign: Sign, topic: Topic, symptom: Symptom | None) -> None:
    pattern = CIVIL.recognise(message)

    assert pattern is not None
    assert (pattern.sign, pattern.topic, pattern.symptom) == (sign, topic, symptom)


@pytest.mark.parametrize("message", NEITHER)
def test_a_line_that_matches_nothing(message: str) -> None:
    assert CIVIL.recognise(message) is None


def test_a_job_that_completes_and_stored_nothing_failed() -> None:
    found = digest(lines(CLAIMED, NOTHING, DONE))

    assert states(found)["logs.ingest.stored_rows"] is Status.FAIL
    assert "logs.ingest.job_claiming" not in states(found)


def test_a_job_that_stored_its_rows_after_one_that_did_not_is_a_success_of_its_own() -> None:
    found = digest(lines(CLAIMED, NOTHING, DONE, CLAIMED, "[1] Inserted 3/3 judgments", DONE))

    assert states(found)["logs.ingest.job_claiming"] is Status.OK
    assert [one.status for one in found if one.check == "logs.ingest.stored_rows"] == [Status.WARN, Status.OK]


def test_a_retry_that_completes_does_not_undo_the_failure() -> None:
    found = digest(lines(f"Job {JOB} (ingest_csv) failed (attempt 1): KeyError: 'x'", CLAIMED, DONE))

    assert [one.status for one in found if one.check == "logs.ingest.job_claiming"] == [Status.WARN, Status.OK]


def test_a_warning_on_stderr_is_no_error() -> None:
    warning = LogLine(
        NOW, "error", "2026-11-29 07:48:09 | WARNING  | w | scheduled for retry in 20s (attempt 2/5)", "r1"
    )

    assert all(finding.status is Status.OK for finding in digest([warning]))


def test_civil_error_without_a_pattern_is_reported() -> None:
    error = LogLine(NOW, "info", "2026-11-29 07:48:09 | ERROR    | w | something broke", "r1")

    assert states(digest([error]))["logs.ingest.other_errors"] is Status.WARN


@pytest.mark.parametrize("seen", [[], lines(*BANNER), lines(CLAIMED, DONE)])
def test_a_silent_worker_is_idle_and_not_dead(seen: list[LogLine]) -> None:
    found = digest(seen)
    idle = next(one for one in found if one.check == "logs.ingest.idle")

    assert {one.status for one in found} == {Status.OK}
    assert "not show whether" in idle.detail


def test_a_busy_worker_is_not_idle() -> None:
    assert "logs.ingest.idle" not in states(digest(lines(CLAIMED), due=NOW - NOT_CLAIMED_AFTER - A_BIT))


def test_a_silent_worker_with_a_job_due_does_not_claim() -> None:
    at_the_limit = digest([], due=NOW - NOT_CLAIMED_AFTER)
    past_it = digest([], due=NOW - NOT_CLAIMED_AFTER - A_BIT)

    assert states(at_the_limit)["logs.ingest.idle"] is Status.OK
    assert states(past_it)["logs.ingest.idle"] is Status.FAIL


def test_a_silent_worker_is_unknown_where_the_queue_is() -> None:
    assert states(digest([], due=Unavailable("database", "away")))["logs.ingest.idle"] is Status.UNKNOWN


def test_the_silence_of_the_api_proves_nothing() -> None:
    assert "logs.api.idle" not in states(digest([], service=Service.API))


def test_a_routes_failure_is_over_when_the_same_route_works() -> None:
    failed = "[a1b2] GET /api/v1/intake/state -> 503 (12ms)"
    same_route = "[a1b2] GET /api/v1/intake/state -> 200 (12ms)"
    other_route = "[a1b2] GET /api/v1/intake/batch/x -> 200 (12ms)"

    assert CIVIL.ends(failed, Topic.REQUESTS, same_route)
    assert not CIVIL.ends(failed, Topic.REQUESTS, other_route)


@pytest.mark.parametrize("message", [NOTHING, DONE, CLAIMED, *BANNER, "Worker status: degraded → running"])
def test_a_line_of_the_systems_own_is_shown_whole(message: str) -> None:
    assert mask_line(message) == message


@pytest.mark.parametrize("written", [UPSERT, f"2026-11-29 07:48:09 | ERROR    | w | {UPSERT}"])
def test_the_case_that_was_not_stored_is_hidden(written: str) -> None:
    shown = [mask_line(written), mask_balanced(written)]
    found = digest([LogLine(NOW, "error", written, "r1")])

    for text in (*shown, str(found)):
        assert not {"2025-CV-001234", "Jane", "Roe", "Acme"} & set(text.replace(":", " ").replace(",", " ").split())
        assert "001234" not in text
