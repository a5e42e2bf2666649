"""The effect of a freeze on a plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.changes import CHANGES
from playbooks.freeze import excepted, go_ahead, hold_back
from playbooks.model import NoPlan, Risk
from playbooks.plan import Plan
from playbooks.steps import RestartDeployment
from services.domain.errors import Unavailable
from services.domain.freezes import LOCK, freeze_words
from services.domain.services import Service
from tests.freezes import new_freeze

NOW = datetime(2026, 1, 7, 12, 0, tzinfo=UTC)
PLAN = Plan("prod", "deploy", {"service": "api"}, (RestartDeployment(Service.API, "d1"),), Risk.HIGH, "Deploy api")
AWAY = Unavailable("database", "no answer within 5 s")


def held(*freezes: object, exception: str = "", passed: str = "") -> Plan | NoPlan:
    return hold_back(PLAN, freezes, NOW, exception=exception, passed=passed)  # type: ignore[arg-type]


def test_freeze_holds_back_only_changes_that_bring_something_new() -> None:
    assert {name for name, change in CHANGES.items() if change.held_by_freezes} == {
        "deploy", "redeploy", "scale", "golden-path"
    }  # fmt: skip


def test_frozen_service_has_no_plan_and_an_exception_is_offered() -> None:
    plan = held(new_freeze(NOW))

    assert isinstance(plan, NoPlan)
    assert plan.why == freeze_words(new_freeze(NOW), NOW)
    assert "--exception" in plan.what_next
    assert not plan.is_unknown


def test_freezes_of_others_and_those_that_are_over_change_nothing() -> None:
    over = new_freeze(NOW - timedelta(hours=2), ends_at=NOW - timedelta(hours=1))

    assert held(new_freeze(NOW, service=Service.INGEST), over) == PLAN


def test_coming_freeze_is_shown_in_the_plan() -> None:
    plan = held(new_freeze(NOW + timedelta(hours=1)), new_freeze(NOW + timedelta(hours=13), id=4))

    assert isinstance(plan, Plan)
    assert plan.warnings == ("api will be frozen from 13:00 UTC by Olivia (the import runs)",)


def test_exception_is_part_of_what_is_approved_and_names_the_freezes_that_it_passes() -> None:
    plan = held(new_freeze(NOW), new_freeze(NOW, id=7, service=None, kind=LOCK), exception="the fix for SEV1")

    assert isinstance(plan, Plan)
    assert plan.parameters == {"service": "api", "exception": "the fix for SEV1", "freezes": "3,7"}
    assert plan.hash != PLAN.hash
    assert [line.partition(",")[0] for line in plan.warnings] == ["exception from freeze 3", "exception from freeze 7"]
    assert excepted(plan.parameters) == {3, 7}


def test_exception_does_not_pass_a_freeze_that_its_approvers_did_not_see() -> None:
    plan = held(new_freeze(NOW), new_freeze(NOW, id=9), exception="the fix", passed="3")

    assert isinstance(plan, NoPlan)
    assert plan.why.count("frozen by") == 1


def test_exception_holds_when_its_freeze_ended_before_it_started() -> None:
    plan = held(exception="the fix", passed="3")

    assert isinstance(plan, Plan)
    assert plan.parameters["freezes"] == "3"


def test_exception_without_a_freeze_is_refused() -> None:
    plan = held(exception="to be sure")

    assert isinstance(plan, NoPlan)
    assert plan.why == "no freeze applies"


def test_freezes_that_cannot_be_read_hold_back_and_stop_nothing_else() -> None:
    plan = hold_back(PLAN, AWAY, NOW, exception="", passed="")

    assert isinstance(plan, NoPlan)
    assert plan.is_unknown
    assert go_ahead(PLAN, AWAY, NOW) == PLAN


def test_rollback_in_a_freeze_goes_ahead_and_says_so() -> None:
    plan = go_ahead(PLAN, [new_freeze(NOW)], NOW)

    assert plan.hash == PLAN.hash
    assert plan.warnings == (f"{freeze_words(new_freeze(NOW), NOW)}; deploy goes ahead",)


def test_destructive_migrations_get_no_exception() -> None:
    critical = replace(PLAN, risk=Risk.CRITICAL)

    refused = hold_back(critical, [new_freeze(NOW)], NOW, exception="the fix for SEV1", passed="3")

    assert isinstance(refused, NoPlan)
    assert "api is frozen by Olivia" in refused.why
    assert "gets no exception" in refused.what_next
    assert hold_back(critical, [], NOW, exception="", passed="") == critical
