"""Groups of failed jobs: failures that differ only in their data are one group."""

from datetime import UTC, datetime, timedelta

from playbooks.failed_jobs import NO_MESSAGE, SAMPLES, group
from services.domain.jobs import FailedJob

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)


def failed(number: int, error: str | None, *, job_type: str = "simplicity_ingest", attempts: int = 1) -> FailedJob:
    return FailedJob(f"j{number}", job_type, attempts, error, NOW - timedelta(minutes=number))


def test_groups_by_the_shape_of_the_error() -> None:
    [one] = group([failed(1, 'invalid amount: "12x"', attempts=3), failed(9, 'invalid amount: "Roe"', attempts=5)])

    assert (one.error, one.count, one.attempts) == ('invalid amount: "…"', 2, (3, 5))
    assert (one.first_at, one.last_at) == (NOW - timedelta(minutes=9), NOW - timedelta(minutes=1))


def test_failed_jobs_of_different_types_are_different_groups() -> None:
    assert len(group([failed(1, "timeout"), failed(2, "timeout", job_type="enforcement")])) == 2


def test_the_largest_group_comes_first_and_then_the_newest() -> None:
    jobs = [failed(9, "timeout"), failed(8, "timeout"), failed(7, "invalid row"), failed(1, "unknown error")]

    assert [one.error for one in group(jobs)] == ["timeout", "unknown error", "invalid row"]


def test_samples_are_the_newest() -> None:
    [one] = group([failed(number, "timeout") for number in range(9, 0, -1)])

    assert one.sample_ids == tuple(f"j{number}" for number in range(1, SAMPLES + 1))


def test_a_job_without_a_message_has_a_group_too() -> None:
    assert group([failed(1, None)])[0].error == NO_MESSAGE
    assert group([failed(1, "")])[0].error == NO_MESSAGE


def test_another_shape_keeps_the_words() -> None:
    assert group([failed(1, "Jane Roe")], shape=str)[0].error == "Jane Roe"
