"""Stored steps: decoded as they were encoded, and refused if this version does not know their kind."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.model import Risk
from playbooks.plan import Plan, decode_plan, encode_plan
from playbooks.steps import STEPS, DeployCommit, RequeueJobs, ScaleService, Step, VerifyNothingRuns, VerifySchemaHead
from playbooks.stored_steps import decode_step, describe_stored, encode_step
from services.domain.services import Service

ANY_STEP = st.one_of([st.from_type(kind) for kind in STEPS.values()])


def plan(*steps: Step, **shown: object) -> Plan:
    made = Plan("dev", "scale", {"service": "ingest"}, steps, Risk.LOW, "Scale ingest: 1 → 2")
    return dataclasses.replace(made, **shown)  # type: ignore[arg-type]


@given(ANY_STEP)
def test_a_step_survives_its_storage(step: Step) -> None:
    stored = json.loads(json.dumps(encode_step(step)))

    assert decode_step(stored) == step


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"kind": "LaunchMissiles"},
        {"kind": "ScaleService", "service": "dragonfly-api", "from_": 1},
        {"kind": "ScaleService", "service": "dragonfly-api", "from_": 1, "to": 2, "force": True},
        {"kind": "ScaleService", "service": "dragonfly-api", "from_": 1, "to": "2"},
        {"kind": "ScaleService", "service": "dragonfly-api", "from_": 1, "to": True},
        {"kind": "ScaleService", "service": 1, "from_": 1, "to": 2},
    ],
)
def test_decode_step_refuses_unknown_kinds_and_fields(stored: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"unknown step|is not"):
        decode_step(stored)


def test_step_of_a_service_that_a_former_release_had_is_described() -> None:
    stored = {"kind": "ScaleService", "service": "dragonfly-worker-mailer", "from_": 1, "to": 2}

    assert "mailer from 1 to 2" in decode_step(stored).describe()


def test_the_hash_changes_with_a_step_and_not_with_what_is_only_shown() -> None:
    two, three = ScaleService(Service.INGEST, 1, 2), ScaleService(Service.INGEST, 1, 3)

    assert plan(two).hash == plan(two, impact=("318 pending",), warnings=("late",), title="other").hash
    assert plan(two).hash != plan(three).hash
    assert plan(two).hash != plan(two, environment="prod").hash
    assert plan(two).hash != plan(two, parameters={"service": "api"}).hash


def test_a_plan_takes_every_service_that_its_steps_touch() -> None:
    steps = (ScaleService(Service.INGEST, 1, 2), VerifyNothingRuns((Service.API,)), RequeueJobs(("a",)))

    assert plan(*steps, VerifySchemaHead(None)).services == {Service.INGEST, Service.API}


@given(st.lists(ANY_STEP, max_size=5))
def test_a_plan_survives_its_storage(steps: list[Step]) -> None:
    stored = json.loads(json.dumps(encode_plan(plan(*steps, impact=("2 jobs",), undo="scale ingest 1"))))

    assert decode_plan(stored) == plan(*steps, impact=("2 jobs",), undo="scale ingest 1")


def test_a_plan_of_a_later_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format 2"):
        decode_plan({**encode_plan(plan()), "format": 2})


def test_a_stored_step_reports_the_same() -> None:
    step = DeployCommit(Service.API, "8d02b64e" * 5, None)

    assert describe_stored(encode_step(step)) == "Build and deploy 8d02b64e to api"


def test_a_step_of_a_newer_version_is_called_by_its_kind() -> None:
    assert describe_stored({"kind": "PaintService"}).startswith("PaintService (a newer version")
