"""The golden path's five verifications: each detects its own fault, and none passes if its source can't be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from playbooks.checks.golden_path import Facts, check
from playbooks.model import Status
from services.domain.batches import BatchJob, GoldenBatch, RowCounts
from services.domain.database import Exposure
from services.domain.errors import Unavailable
from services.domain.services import Service
from tests.unit.playbooks.builders import NOW, STALE_AFTER, beat

BATCH = GoldenBatch("b-1", "completed", "simplicity", NOW, is_golden_path=True)
AWAY = Unavailable("database", "no answer within 5 s")


def job(status: str, job_type: str = "simplicity_ingest") -> BatchJob:
    return BatchJob("j-1", job_type, status, NOW)


RIGHT = Facts(NOW, STALE_AFTER, 1, BATCH, RowCounts(1, 1, 0), [job("completed")], (), [beat("i-1")])


def test_all_five_checks_pass() -> None:
    assert [finding.status for finding in check(RIGHT)] == [Status.OK] * 5


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"batch": None}, "batch", "not in this database"),
        ({"batch": replace(BATCH, is_golden_path=False)}, "batch", "is not marked"),
        ({"batch": replace(BATCH, status="processing")}, "batch", "is processing"),
        ({"batch": replace(BATCH, source_system="other")}, "batch", "from other"),
        ({"counts": RowCounts(2, 2, 0)}, "rows", "2 rows"),
        ({"counts": RowCounts(1, 0, 1)}, "rows", "1 failed"),
        ({"counts": RowCounts(0, 0, 0)}, "rows", "0 rows"),
        ({"jobs": []}, "job", "missing"),
        ({"jobs": [job("failed")]}, "job", "failed"),
        ({"jobs": [job("completed", "enforcement_next_step")]}, "job", "missing"),
        ({"exposures": [Exposure("grants", "ops.job_queue", "anon", "DELETE")]}, "grants", "1 dangerous grant"),
        ({"heartbeats": []}, "heartbeats", "no ingest worker"),
        ({"heartbeats": [beat("i-1", age_s=301)]}, "heartbeats", "no ingest worker"),
        ({"heartbeats": [beat("e-1", Service.ENFORCEMENT)]}, "heartbeats", "no ingest worker"),
    ],
)
def test_each_fault_fails_its_own_verification(changes: dict[str, Any], name: str, words: str) -> None:
    found = {finding.check: finding for finding in check(replace(RIGHT, **changes))}

    failed = [finding.check for finding in found.values() if finding.status is Status.FAIL]
    assert failed == [f"golden_path.{name}"]
    assert words in found[f"golden_path.{name}"].title


@pytest.mark.parametrize("name", ["batch", "counts", "jobs", "exposures", "heartbeats"])
def test_golden_path_is_unknown_only_for_the_unreadable_source(name: str) -> None:
    changes: dict[str, Any] = {name: AWAY}

    statuses = [finding.status for finding in check(replace(RIGHT, **changes))]

    assert statuses.count(Status.UNKNOWN) == 1
    assert statuses.count(Status.OK) == 4


@pytest.mark.parametrize("status", ["pending", "processing"])
def test_a_job_that_is_just_ending_may_come_right(status: str) -> None:
    assert check(replace(RIGHT, jobs=[job(status)]))[2].status is Status.WARN


def test_heartbeats_that_may_be_hidden_prove_nothing() -> None:
    assert check(replace(RIGHT, heartbeats=[], all_visible=False))[4].status is Status.UNKNOWN


def test_exposures_elsewhere_are_the_audit_s_business() -> None:
    elsewhere = [Exposure("grants", "intake.simplicity_batches", "anon", "SELECT"), Exposure("rls", "ops.x", "", "off")]

    assert check(replace(RIGHT, exposures=elsewhere))[3].status is Status.OK
