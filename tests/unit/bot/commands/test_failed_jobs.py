"""The answer of `failed-jobs`: groups of failed jobs, each with a button that requeues it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.commands.failed_jobs import failed_jobs_answer
from bot.commands.reveal import LABEL
from playbooks.failed_jobs import group
from services.domain.jobs import FailedJob
from services.domain.systems import RUNBOOK

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def failed(error: str, job_type: str = "simplicity_ingest") -> FailedJob:
    return FailedJob("j", job_type, 5, error, NOW)


def test_a_group_is_requeued_with_a_button() -> None:
    groups = group([failed('ValueError: no county "Kings"'), failed('ValueError: no county "Queens"')])

    answer = failed_jobs_answer(groups, total=2, window=HOUR, system=RUNBOOK)

    assert answer.blocks[1]["accessory"]["value"] == f"requeue {groups[0].key}"
    assert isinstance(answer.data, dict)
    assert answer.data["groups"][0]["key"] == groups[0].key


def test_the_button_for_whole_errors_is_named_only_where_there_is_one() -> None:
    errors = ("JudgeBoom: simulated failure", 'ValueError: no county "Kings"')

    answers = [
        str(failed_jobs_answer(group([failed(one)]), total=1, window=HOUR, system=RUNBOOK).blocks) for one in errors
    ]

    assert ["hides data" in one for one in answers] == [False, True]
    assert [LABEL in one for one in answers] == [False, True]


def test_an_unmasked_group_has_no_name_to_requeue_it_by() -> None:
    groups = group([failed('ValueError: no county "Kings"')], shape=str)

    answer = failed_jobs_answer(groups, total=1, window=HOUR, is_raw=True, system=RUNBOOK)

    assert "accessory" not in answer.blocks[1]
    assert isinstance(answer.data, dict)
    assert "key" not in answer.data["groups"][0]


@pytest.mark.parametrize(
    ("job_types", "logs"),
    [
        (["simplicity_ingest"], ["logs ingest @level:error"]),
        (["enforcement_memos", "enforcement_review"], ["logs enforcement @level:error"]),
        (["enforcement_memos", "simplicity_ingest"], ["logs ingest @level:error", "logs enforcement @level:error"]),
        (["nobody_s"], []),
        ([], []),
    ],
)
def test_leads_to_the_logs_of_the_workers_whose_jobs_failed(job_types: list[str], logs: list[str]) -> None:
    groups = group([failed("boom", job_type) for job_type in job_types])

    answer = failed_jobs_answer(groups, total=len(groups), window=HOUR, system=RUNBOOK)

    explain = ["ask why do jobs fail?"] if groups else []
    assert [button["value"] for button in answer.blocks[-1]["elements"]] == [*explain, "queue", *logs]
