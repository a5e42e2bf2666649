"""The plan of a golden path: its prerequisites, its steps and its risk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from playbooks.golden_path import Facts, plan, plan_clean
from playbooks.model import NoPlan, Risk
from playbooks.plan import Plan
from playbooks.steps import (
    AwaitSample,
    CheckIngestBeats,
    RemoveSample,
    UploadKeptSample,
    UploadSample,
    VerifyApiHealth,
    VerifyKeptSample,
    VerifySampleData,
    VerifySampleRows,
)
from services.domain.batches import GoldenBatch
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.intake import SampleFile
from services.domain.services import Service
from services.domain.systems import CIVIL, RUNBOOK
from tests.unit.playbooks.builders import NOW, beat, load

HEALTHY = ApiHealth(200, "ok", "dev", "a1b2c3d4", db_connected=True, timestamp=NOW, elapsed_ms=12.0)
AWAY = Unavailable("database", "no answer within 5 s")
SAMPLE = SampleFile(b"x", 1)


def facts(**changes: Any) -> Facts:
    usual = Facts(
        "dev", HEALTHY, has_key=True, load=load(beats=[beat("ingest-1")]), sample=SAMPLE, left=(), system=RUNBOOK
    )
    return replace(usual, **changes)


def left(*names: str) -> tuple[GoldenBatch, ...]:
    return tuple(GoldenBatch(name, "completed", "simplicity", NOW, is_golden_path=True) for name in names)


def planned(**changes: Any) -> Plan:
    made = plan(facts(**changes))
    assert isinstance(made, Plan), made
    return made


def test_the_steps_are_the_runbook_s_and_the_batch_is_taken_away() -> None:
    kinds = [type(step) for step in planned().steps]

    assert kinds == [
        CheckIngestBeats,
        VerifyApiHealth,
        UploadSample,
        AwaitSample,
        VerifySampleRows,
        VerifySampleData,
        RemoveSample,
    ]
    assert planned().services == frozenset()


def test_golden_path_keeps_the_sample_on_request_and_names_its_cleanup() -> None:
    made = plan(facts(), keep=True)

    assert isinstance(made, Plan)
    assert not any(isinstance(step, RemoveSample) for step in made.steps)
    assert (made.parameters, made.undo) == ({"keep": "yes"}, "golden-path --clean")


@pytest.mark.parametrize(
    ("environment", "risk"), [("prod", Risk.HIGH), ("staging", Risk.LOW), ("dev", Risk.LOW), ("qa", Risk.LOW)]
)
def test_only_production_needs_another_person(environment: str, risk: Risk) -> None:
    assert planned(environment=environment, api=replace(HEALTHY, environment=environment)).risk is risk


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"api": Unavailable("API", "connection refused")}, "connection refused"),
        ({"api": replace(HEALTHY, http_status=503, status="degraded")}, "degraded (HTTP 503)"),
        ({"api": replace(HEALTHY, environment="prod")}, "belongs to prod"),
        ({"has_key": False}, "no key"),
        ({"load": load()}, "no ingest worker"),
        ({"load": load(beats=[beat("e-1", Service.ENFORCEMENT)])}, "no ingest worker"),
        ({"load": load(beats=[beat("i-1", age_s=301)])}, "no ingest worker"),
        ({"load": replace(load(), beats=AWAY)}, "no answer within 5 s"),
        ({"sample": Unavailable("test file", "it has no rows")}, "it has no rows"),
    ],
)
def test_the_prerequisites_come_first(changes: dict[str, Any], why: str) -> None:
    made = plan(facts(**changes))

    assert isinstance(made, NoPlan)
    assert why in made.why
    assert made.what_next


def test_a_worker_at_the_limit_counts() -> None:
    assert planned(load=load(beats=[beat("i-1", age_s=300)]))


def test_a_source_that_is_silent_reports_nothing_about_a_plan_that_was_approved() -> None:
    silent = plan(facts(api=Unavailable("API", "no answer within 5 s")))
    degraded = plan(facts(api=replace(HEALTHY, status="degraded")))

    assert isinstance(silent, NoPlan)
    assert isinstance(degraded, NoPlan)
    assert (silent.is_unknown, degraded.is_unknown) == (True, False)


def test_hidden_workers_are_a_warning_not_a_refusal() -> None:
    made = planned(load=replace(load(), all_visible=False))

    assert "row-level security may hide workers" in made.warnings[0]


def test_golden_path_warns_about_the_backlog_and_earlier_samples() -> None:
    made = planned(load=load(beats=[beat("i-1")], pending=318), left=left("b-1", "b-2"))

    assert any("318 pending may go first" in line for line in made.warnings)
    assert any("2 batches of earlier golden paths" in line for line in made.warnings)


def test_golden_path_hash_ignores_counts() -> None:
    busy = planned(load=load(beats=[beat("i-1"), beat("i-2")], pending=318), left=left("b-1"))

    assert busy.hash == planned().hash


def test_another_file_is_another_plan() -> None:
    assert planned(sample=SampleFile(b"y", 1)).hash != planned().hash


def test_cleaning_names_each_batch() -> None:
    made = plan_clean(facts(left=left("b-1", "b-2")))

    assert isinstance(made, Plan)
    assert made.steps == (RemoveSample("b-1"), RemoveSample("b-2"))
    assert made.risk is Risk.LOW


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "no golden path"),
        ({"left": AWAY}, "no answer within 5 s"),
        ({"left": left("b-1"), "under_way": AWAY}, "no answer within 5 s"),
        ({"left": left("b-1"), "under_way": [12]}, "running (run 12)"),
    ],
)
def test_cleaning_is_refused_while_a_batch_may_be_in_use(changes: dict[str, Any], why: str) -> None:
    made = plan_clean(facts(**changes))

    assert isinstance(made, NoPlan)
    assert why in made.why


def test_a_golden_path_of_the_upload_exercises_no_worker_and_says_what_stays() -> None:
    made = planned(system=CIVIL, load=load(beats=[]))

    assert [type(step) for step in made.steps] == [
        VerifyApiHealth,
        UploadKeptSample,
        AwaitSample,
        VerifySampleRows,
        VerifyKeptSample,
    ]
    assert any("stay" in line for line in made.impact)
    assert any("no worker" in line for line in made.impact)
    assert (made.risk, made.undo) == (Risk.HIGH, None)


@pytest.mark.parametrize("allowed", [False, True])
def test_rows_that_stay_need_the_setting_in_production(allowed: bool) -> None:
    api = replace(HEALTHY, environment="prod")
    made = plan(facts(environment="prod", api=api, system=CIVIL, in_production=allowed))

    assert isinstance(made, Plan) is allowed
    if isinstance(made, NoPlan):
        assert "GOLDEN_PATH_IN_PROD=true" in made.what_next


def test_rows_that_stay_are_not_cleaned() -> None:
    refused = plan_clean(facts(system=CIVIL))

    assert isinstance(refused, NoPlan)
    assert "stay" in refused.why
