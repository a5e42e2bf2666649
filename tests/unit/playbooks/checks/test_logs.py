"""The check of logs: lines become groups, groups lead to the troubleshooting table, and no data is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.checks.logs import MAX_GROUPS, Facts, check
from playbooks.log_patterns import RUNBOOK
from playbooks.model import Finding, Status
from services.domain.deployments import Deployment, DeploymentStatus, Instance, LogLine, ServiceState
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.thresholds import NOT_CLAIMED_AFTER, OUTAGE_OVER_AFTER

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
A_BIT = timedelta(seconds=1)
JOB = "123e4567-e89b-12d3-a456-426614174000"
DONE = f"[ingest_processor] Job completed: {JOB}"
IDLE = "[ingest_processor] No pending jobs found (idle)"
DENIED = "[ingest_processor] Job failed: permission denied for table judgments"


def lines(*messages: str, severity: str = "info", replica: str = "r1") -> list[LogLine]:
    """Log lines 1 s apart, the last one now."""
    first = NOW - timedelta(seconds=len(messages) - 1)
    return [LogLine(first + timedelta(seconds=n), severity, message, replica) for n, message in enumerate(messages)]


def facts(
    seen: Sequence[LogLine] | Unavailable,
    service: Service = Service.INGEST,
    due: datetime | Unavailable | None = None,
) -> Facts:
    return Facts(service, seen, NOW, due, patterns=RUNBOOK)


def wrong(seen: Sequence[LogLine], service: Service = Service.INGEST) -> list[Finding]:
    return [finding for finding in check(facts(seen, service)) if finding.status is not Status.OK]


def test_lines_that_differ_in_their_data_are_one_group() -> None:
    [finding] = wrong(lines(*(f'[ingest_processor] Job failed: bad name "Jane Roe {n}"' for n in range(7))))

    assert finding.evidence["count"] == 7
    assert "7 lines" in finding.detail
    assert "Jane" not in f"{finding}"


def test_a_failure_leads_to_its_row_of_the_table() -> None:
    [finding] = wrong(lines("[ingest_processor] Job failed: InFailedSqlTransaction"))

    assert finding.check == "logs.ingest.job_claiming"
    assert finding.status is Status.FAIL
    assert "Likely cause: Mid-transaction error. To do: Worker auto-recovers; check for data issues." in finding.detail
    assert finding.next_step is not None
    assert finding.next_step.command == "failed-jobs 1h"


def test_lines_of_one_likely_cause_are_one_finding() -> None:
    away = lines("PostgreSQL connection failed: Connection refused", "claim_pending_job: server not reachable")

    [finding] = wrong([*away, *away])

    assert finding.title.endswith(" (+ 1 other kind of line)")
    assert finding.detail.count("To do:") == 1
    assert len(set(map(str, finding.evidence["templates"]))) == 2  # type: ignore[call-overload]


def past(seen: Sequence[LogLine], service: Service = Service.INGEST, *, is_well: bool | None = None) -> list[Finding]:
    found = check(replace(facts(seen, service), is_well=is_well))
    return [finding for finding in found if finding.was_wrong]


def test_a_failure_after_which_it_worked_is_over_and_reports_from_when_to_when() -> None:
    seen = lines(DENIED, DENIED, DONE)

    [finding] = past(seen)

    assert (finding.status, finding.was_wrong) == (Status.OK, (seen[0].timestamp, seen[1].timestamp))
    assert "Likely cause" not in finding.detail


def test_another_job_that_was_done_does_not_undo_a_failed_one() -> None:
    [finding] = wrong(lines("[ingest_processor] Job failed: bad table", DONE))

    assert finding.status is Status.WARN
    assert "works again" in finding.detail


BAD, GOOD = "GET /api/health 503 12 ms", "GET /api/health 200 3 ms"


def test_a_503_is_over_with_a_200_of_the_same_route() -> None:
    other_route = "GET /api/v1/intake/health 200 3 ms"

    assert past(lines(BAD, GOOD), Service.API)
    assert not past(lines(BAD, other_route), Service.API)
    assert not past(lines(GOOD, BAD), Service.API)


@pytest.mark.parametrize(
    ("ago", "is_well", "is_over"),
    [
        (OUTAGE_OVER_AFTER + A_BIT, True, True),
        (OUTAGE_OVER_AFTER, True, False),
        (OUTAGE_OVER_AFTER + A_BIT, False, False),
        (OUTAGE_OVER_AFTER + A_BIT, None, False),
    ],
)
@pytest.mark.parametrize("line", [BAD, "PostgreSQL connection failed: Connection refused", "boom"])
def test_an_old_outage_is_over_while_the_live_check_is_fine(
    line: str, ago: timedelta, is_well: bool | None, is_over: bool
) -> None:
    seen = [LogLine(NOW - ago, "error", line, "r1")]

    assert bool(past(seen, Service.API, is_well=is_well)) is is_over


def test_a_missing_right_is_not_over_because_time_has_passed() -> None:
    assert not past([LogLine(NOW - timedelta(minutes=30), "error", DENIED, "r1")], is_well=True)


def test_success_before_a_failure_does_not_count() -> None:
    assert [finding.status for finding in wrong(lines(DONE, DENIED))] == [Status.FAIL]


def test_one_replica_does_not_speak_for_another() -> None:
    [finding] = wrong([*lines("Connection refused", replica="a"), *lines("", DONE, replica="b")])

    assert finding.status is Status.FAIL


def test_after_a_crash_loop_another_process_does() -> None:
    crashed = "[ingest_processor] CRITICAL: Crash loop detected after 10 failures"

    assert past([*lines(crashed, "", "", replica="a"), *lines(DONE, replica="b")])


@pytest.mark.parametrize("service", [Service.API, Service.INGEST])
@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("PostgreSQL connection failed: Connection refused", "database is down"),
        ("FATAL: password authentication failed for user", "DB permission issue"),
        ("FATAL: sorry, too many clients already", "Every connection"),
        ('relation "ops.job_queue" does not exist', "migration"),
    ],
)
def test_the_likely_cause_fits_the_class_of_the_error(line: str, cause: str, service: Service) -> None:
    [finding] = wrong(lines(line), service)

    assert cause in finding.detail.partition("Likely cause: ")[2]


@pytest.mark.parametrize(
    ("due", "status"),
    [
        (None, Status.OK),
        (NOW - NOT_CLAIMED_AFTER, Status.OK),
        (NOW - NOT_CLAIMED_AFTER - A_BIT, Status.FAIL),
        (Unavailable("database", "away"), Status.UNKNOWN),
    ],
)
def test_idleness_is_a_failure_only_while_jobs_are_due(due: datetime | Unavailable | None, status: Status) -> None:
    [finding] = check(facts(lines(IDLE), due=due))

    assert finding.status is status
    assert ("DB permission issue" in finding.detail) is (status is Status.FAIL)


def test_a_worker_that_claimed_since_is_not_idle() -> None:
    found = check(facts(lines(IDLE, f"[ingest_processor] Claimed job: {JOB}"), due=NOW - timedelta(hours=1)))

    assert {finding.status for finding in found} == {Status.OK}


def test_success_is_shown_as_such() -> None:
    found = {finding.check: finding for finding in check(facts(lines("PostgreSQL connection established", DONE)))}

    assert {finding.status for finding in found.values()} == {Status.OK}
    assert found["logs.ingest.db_connectivity"].title == "ingest DB connectivity: PostgreSQL connection established"
    assert found["logs.ingest.job_claiming"].title == "ingest job claiming: [ingest_processor] Job completed: …"


def test_errors_that_no_pattern_knows_are_grouped_too() -> None:
    traceback = lines(
        "Traceback (most recent call last):",
        '  File "handler.py", line 12',
        "ModuleNotFoundError: no module",
        "INFO:     Started server process [1]",
        severity="error",
    )

    [finding] = wrong(traceback)

    assert (finding.check, finding.status) == ("logs.ingest.other_errors", Status.WARN)
    assert "ModuleNotFoundError" in finding.title


def test_log_digest_counts_the_groups_that_it_leaves_out() -> None:
    words = ["claim", "queue", "table", "column", "worker", "batch", "index", "schema", "row", "retry"]
    found = wrong(lines(*(f"[ingest_processor] Job failed: bad {word}" for word in words)))

    assert len(found) == MAX_GROUPS + 1
    assert found[-1].title == "ingest: 2 more kinds of errors"


def test_the_most_reporting_group_comes_first() -> None:
    found = wrong(lines("[x] Job failed: bad table", "Connection refused", "permission denied for table judgments"))

    assert [finding.evidence["topic"] for finding in found] == ["permissions", "DB connectivity", "job claiming"]


def test_a_log_that_cannot_be_read_is_unknown() -> None:
    [finding] = check(facts(Unavailable("Railway", "no answer within 5 s")))

    assert (finding.status, finding.detail) == (Status.UNKNOWN, "no answer within 5 s")


@pytest.mark.parametrize(("service", "status"), [(Service.API, Status.OK), (Service.INGEST, Status.UNKNOWN)])
def test_a_worker_is_never_silent_but_an_api_may_be(service: Service, status: Status) -> None:
    assert [finding.status for finding in check(facts([], service))] == [status]


CANARY = "Kowalski"


@given(
    st.lists(st.sampled_from(["Job failed: ", "permission denied for table ", "Connection refused ", ""]), max_size=9)
)
def test_no_data_of_a_line_comes_into_a_finding(beginnings: list[str]) -> None:
    seen = lines(*(f"[ingest_processor] {words}{CANARY} $12,345.67" for words in beginnings), severity="error")

    shown = f"{check(facts(seen))}"

    assert CANARY not in shown
    assert "12,345" not in shown


@pytest.mark.parametrize(("silent_s", "is_reported"), [(180, False), (181, True)])
def test_a_worker_that_wrote_each_minute_and_fell_silent_is_no_idle_one(silent_s: int, is_reported: bool) -> None:
    lines = [
        LogLine(
            NOW - timedelta(seconds=silent_s + 60 * n), "info", "[ingest_processor] No pending jobs found (idle)", "r"
        )
        for n in range(5)
    ]

    found = check(Facts(Service.INGEST, lines, NOW, None, patterns=RUNBOOK))

    silence = [one for one in found if one.check == "logs.ingest.silence"]
    assert bool(silence) is is_reported
    assert any(one.check == "logs.ingest.idle" for one in found) is not is_reported
    assert all(one.title == "ingest: no log line for 3 min, usually each minute" for one in silence)


SILENT = [LogLine(NOW - timedelta(minutes=6 + n), "info", "No pending jobs found (idle)", "r") for n in range(5)]


def state_of(running: int, wanted: int | None = 1, *, stopped: bool = False) -> ServiceState:
    """Ingest with one deployment that has this many running instances and a crashed one."""
    instances = (*[Instance("i", "RUNNING")] * running, Instance("c", "CRASHED"))
    made = Deployment("d", DeploymentStatus.SUCCESS, NOW - timedelta(hours=1), stopped=stopped, instances=instances)
    return ServiceState(Service.INGEST, "s", active=(made,), latest=made, replicas_configured=wanted)


@pytest.mark.parametrize(
    ("state", "detail"),
    [
        (state_of(0), "the process has died"),
        (state_of(1), "Railway runs 1 of 1: it hangs"),
        (state_of(1, None), "the process runs, so it hangs"),
        (None, "the process has died or hangs"),
    ],
)
def test_silence_reports_whether_railway_still_runs_the_process(state: ServiceState | None, detail: str) -> None:
    [silence] = [
        one
        for one in check(Facts(Service.INGEST, SILENT, NOW, state=state, patterns=RUNBOOK))
        if "silence" in one.check
    ]

    assert (silence.status, silence.detail) == (Status.WARN, detail)


@pytest.mark.parametrize("state", [state_of(0, stopped=True), state_of(0, 0)], ids=["stopped", "no replicas"])
@pytest.mark.parametrize("lines", [SILENT, []])
def test_a_worker_that_was_stopped_on_purpose_is_not_warned_of(state: ServiceState, lines: list[LogLine]) -> None:
    found = check(Facts(Service.INGEST, lines, NOW, state=state, patterns=RUNBOOK))

    assert [(one.status, one.title) for one in found] == [(Status.OK, "ingest is stopped, so it writes nothing")]


CRASHED = replace(state_of(0).active[0], status=DeploymentStatus.CRASHED)
GONE = ServiceState(Service.INGEST, "s", active=(CRASHED,), latest=CRASHED, replicas_configured=1)


@pytest.mark.parametrize("service", [Service.INGEST, Service.API])
def test_log_of_a_process_that_just_died_is_not_fine(service: Service) -> None:
    posted = [LogLine(NOW - timedelta(seconds=78), "info", "PostgreSQL connection established", "r")]

    found = check(Facts(service, posted, NOW, state=replace(GONE, service=service), patterns=RUNBOOK))

    short = service.short
    assert (found[0].check, found[0].status) == (f"logs.{short}.silence", Status.WARN)
    assert found[0].title.startswith(f"{short} writes nothing")
    assert found[0].title.endswith("process has died")
    assert found[0].detail == "the last line 78 s ago"


@pytest.mark.parametrize("state", [None, state_of(1), state_of(0, stopped=True)])
def test_log_of_a_process_that_runs_or_was_stopped_is_fine(state: ServiceState | None) -> None:
    posted = [LogLine(NOW - timedelta(seconds=78), "info", "PostgreSQL connection established", "r")]

    assert not [
        one
        for one in check(Facts(Service.INGEST, posted, NOW, state=state, patterns=RUNBOOK))
        if one.status is not Status.OK
    ]


def test_an_earlier_deployment_is_expected_to_be_silent() -> None:
    found = check(Facts(Service.INGEST, SILENT, NOW, state=state_of(1), is_current=False, patterns=RUNBOOK))

    assert not [one for one in found if one.status is not Status.OK]


def test_stored_log_check_uses_times_of_day() -> None:
    lines = [*SILENT, LogLine(NOW - timedelta(minutes=7), "error", "permission denied for table x", "r")]

    found = check(
        Facts(Service.INGEST, lines, NOW, NOW - timedelta(minutes=9), state=state_of(0), stored=True, patterns=RUNBOOK)
    )

    words = " ".join(f"{one.title} {one.detail}" for one in found)
    assert "no log line since 11:54 UTC" in words
    assert not re.search(r"\d+ (s|min|h|d) ago|for \d+ (s|min|h|d)\b", words)
