"""Unlocking lifts lock and freeze together."""

from __future__ import annotations

from datetime import timedelta

from playbooks._contract import NoPlan, Plan, Risk
from playbooks._steps import UnfreezeAutoDeploy, UnlockService
from playbooks.unlock import Facts, plan
from services.domain.errors import Unavailable
from services.domain.locks import Lock
from services.domain.services import Service
from tests.unit.playbooks.builders import NOW

API = Service.API
LOCK = Lock(API, "U123", "rolled back from c to b", NOW - timedelta(hours=3))


def made(result: Plan | NoPlan) -> Plan:
    assert isinstance(result, Plan), result
    return result


def test_lifts_lock_and_freeze_together() -> None:
    planned = made(plan(Facts("prod", NOW, {API: LOCK}), API, "mended in e4f5"))

    assert planned.steps == (UnfreezeAutoDeploy(API), UnlockService(API))
    assert planned.risk is Risk.LOW
    assert planned.impact[0] == "locked by U123 3 h ago: rolled back from c to b"
    assert planned.parameters == {"service": "api", "reason": "mended in e4f5"}


def test_without_a_lock_a_freeze_that_was_left_alone_is_lifted_with_a_warning() -> None:
    planned = made(plan(Facts("prod", NOW, {}), API, "it failed half-way"))

    assert planned.steps == (UnfreezeAutoDeploy(API),)
    assert len(planned.warnings) == 1


def test_locks_that_cannot_be_read_are_no_plan() -> None:
    refusal = plan(Facts("prod", NOW, Unavailable("database", "no answer within 5 s")), API, "mended")

    assert isinstance(refusal, NoPlan)
    assert refusal.is_unseen
