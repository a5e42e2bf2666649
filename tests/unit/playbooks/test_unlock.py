"""The plan of `unlock`: it lifts the lock and the deploy freeze together."""

from __future__ import annotations

from datetime import timedelta

import pytest

from playbooks.change_parts import Locks
from playbooks.model import NoPlan, Risk
from playbooks.steps import UnfreezeAutoDeploy, UnlockService
from playbooks.unlock import Facts, plan
from services.domain.errors import Unavailable
from services.domain.freezes import Lock
from services.domain.services import Service
from tests.unit.playbooks.builders import NOW, made

API = Service.API
AWAY = Unavailable("database", "no answer within 5 s")
LOCK = Lock(API, "U123", "rolled back from c to b", NOW - timedelta(hours=3))


def test_lifts_lock_and_freeze_together() -> None:
    planned = made(plan(Facts("prod", NOW, {API: LOCK}, auto_deploy=False), API, "mended in e4f5"))

    assert planned.steps == (UnfreezeAutoDeploy(API), UnlockService(API))
    assert planned.risk is Risk.LOW
    assert planned.impact[0] == "locked by a person at 09:00 UTC: rolled back from c to b"
    assert planned.parameters == {"service": "api", "reason": "mended in e4f5"}


@pytest.mark.parametrize("auto_deploy", [True, AWAY])
def test_unlock_plan_is_the_same_for_any_state_of_auto_deploy(auto_deploy: bool | Unavailable) -> None:
    frozen = made(plan(Facts("prod", NOW, {API: LOCK}, auto_deploy=False), API, "mended"))

    assert made(plan(Facts("prod", NOW, {API: LOCK}, auto_deploy), API, "mended")).hash == frozen.hash


def test_without_a_lock_a_freeze_that_was_left_is_lifted_with_a_warning() -> None:
    planned = made(plan(Facts("prod", NOW, {}, auto_deploy=False), API, "it failed half-way"))

    assert planned.steps == (UnfreezeAutoDeploy(API),)
    assert len(planned.warnings) == 1


def test_without_lock_and_freeze_there_is_nothing_to_do() -> None:
    refusal = plan(Facts("prod", NOW, {}, auto_deploy=True), API, "mended")

    assert isinstance(refusal, NoPlan)
    assert not refusal.is_unknown


@pytest.mark.parametrize(("locks", "auto_deploy"), [(AWAY, True), ({}, AWAY)])
def test_unlock_has_no_plan_when_its_facts_are_unreadable(locks: Locks, auto_deploy: bool | Unavailable) -> None:
    refusal = plan(Facts("prod", NOW, locks, auto_deploy), API, "mended")

    assert isinstance(refusal, NoPlan)
    assert refusal.is_unknown
