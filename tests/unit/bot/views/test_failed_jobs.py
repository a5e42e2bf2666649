"""Failed jobs: each group with its way back into the queue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.views.failed_jobs import failed_jobs_answer
from playbooks.failed_jobs import group
from services.domain.jobs import FailedJob

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def failed(error: str) -> FailedJob:
    return FailedJob("j", "simplicity_ingest", 5, error, NOW)


def test_a_group_is_requeued_with_a_button() -> None:
    groups = group([failed('ValueError: no county "Kings"'), failed('ValueError: no county "Queens"')])

    answer = failed_jobs_answer(groups, total=2, window=HOUR)

    assert answer.blocks[1]["accessory"]["value"] == f"requeue {groups[0].key}"
    assert isinstance(answer.data, dict)
    assert answer.data["groups"][0]["key"] == groups[0].key


def test_an_unmasked_group_has_no_name_to_requeue_it_by() -> None:
    groups = group([failed('ValueError: no county "Kings"')], shape=str)

    answer = failed_jobs_answer(groups, total=1, window=HOUR, is_raw=True)

    assert "accessory" not in answer.blocks[1]
    assert isinstance(answer.data, dict)
    assert "key" not in answer.data["groups"][0]
