"""The check of intake batches: a failed batch is a warning, and a source that can't be read is unknown."""

from datetime import UTC, datetime, timedelta

import pytest

from playbooks import intake
from playbooks.model import Status, worst
from services.domain.batches import Batch, RowFault
from services.domain.errors import Unavailable
from services.domain.health import IntakeHealth
from services.domain.systems import CIVIL, RUNBOOK, System
from services.domain.thresholds import BATCH_STUCK_AFTER

NOW = datetime(2025, 12, 20, 10, 0, tzinfo=UTC)
FINE = IntakeHealth(200, "ok", db_connected=True, pending_jobs=0, last_batch_at=None, elapsed_ms=5)
AWAY = Unavailable("database", "away")


def facts(
    health: IntakeHealth | Unavailable,
    batches: list[Batch] | Unavailable,
    events: Unavailable | None = None,
    *,
    system: System = RUNBOOK,
    now: datetime = NOW,
) -> intake.Facts:
    return intake.Facts(health, batches, [] if events is None else events, now, system=system)


def batch(status: str = "completed", *, failed: int = 0) -> Batch:
    return Batch("b", status, "simplicity", NOW, 3, 3 - failed, failed)


def test_batches_that_went_through_are_fine() -> None:
    assert worst(intake.check(facts(FINE, [batch()]))) is Status.OK


def test_rows_that_did_not_pass_are_reported_and_no_warning() -> None:
    finding = intake.check(facts(FINE, [batch(failed=1)]))[-1]

    assert finding.status is Status.OK
    assert finding.detail.startswith("1 with rows")


def test_a_failed_batch_is_a_warning_with_a_next_step() -> None:
    finding = intake.check(facts(FINE, [batch("failed"), batch()]))[-1]

    assert finding.title == "1 of the latest 2 batches failed"
    assert finding.next_step is not None


def test_no_batch_at_all_is_fine_and_reported() -> None:
    assert intake.check(facts(FINE, []))[-1].title == "no batch was ever uploaded"


def test_each_part_that_cannot_be_read_is_unknown() -> None:
    findings = intake.check(facts(AWAY, AWAY, AWAY))

    assert [finding.status for finding in findings] == [Status.UNKNOWN] * 3


def test_leads_on_from_the_intake_to_the_api() -> None:
    step = intake.check(facts(AWAY, []))[0].next_step

    assert step is not None
    assert step.command == "logs api"


def test_a_batch_of_which_no_row_passed_is_wrong_and_leads_to_the_reasons() -> None:
    finding = intake.check(facts(FINE, [batch(failed=3), batch()]))[-1]

    assert finding.status is Status.FAIL
    assert finding.title.endswith("that passed")
    assert " 2 batches" in finding.title
    assert finding.next_step is not None
    assert finding.next_step.command == "intake b"


@pytest.mark.parametrize(
    ("looked_at", "status", "title"),
    [
        (batch(), Status.OK, "3 of 3 rows passed"),
        (batch(failed=1), Status.WARN, "2 of 3 rows passed"),
        (batch(failed=3), Status.FAIL, "none of 3 rows passed"),
        (batch("failed", failed=1), Status.FAIL, "batch failed after 100 % of 3 rows"),
        (batch("processing", failed=3), Status.OK, "processing: 100 % of 3 rows checked"),
    ],
)
def test_check_batch_reports_the_outcome_of_a_batch(looked_at: Batch, status: Status, title: str) -> None:
    [finding] = intake.check_batch(looked_at, [RowFault("County: empty", 1)], now=NOW, system=RUNBOOK)

    assert (finding.status, finding.title) == (status, title)


def test_reasons_that_cannot_be_read_are_unknown() -> None:
    assert intake.check_batch(batch(failed=1), AWAY, now=NOW, system=RUNBOOK)[-1].status is Status.UNKNOWN


@pytest.mark.parametrize("status", ["pending", "processing"])
def test_an_upload_that_the_api_does_not_complete_is_wrong(status: str) -> None:
    at_the_limit = NOW + BATCH_STUCK_AFTER
    past_it = at_the_limit + timedelta(seconds=1)

    listed = [intake.check(facts(FINE, [batch(status)], system=CIVIL, now=now))[-1] for now in (at_the_limit, past_it)]
    single = [intake.check_batch(batch(status), [], now=now, system=CIVIL)[0] for now in (at_the_limit, past_it)]

    assert [one.status for one in listed] == [one.status for one in single] == [Status.OK, Status.FAIL]
    assert "so it will not complete" in single[1].title


def test_a_long_upload_of_a_worker_goes_on() -> None:
    an_hour_later = NOW + timedelta(hours=1)

    assert intake.check(facts(FINE, [batch("processing")], now=an_hour_later))[-1].status is Status.OK
    assert intake.check_batch(batch("processing"), [], now=an_hour_later, system=RUNBOOK)[0].status is Status.OK
