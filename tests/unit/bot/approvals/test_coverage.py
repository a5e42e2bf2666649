"""Changes that no one can request or approve."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.approvals.coverage import find_gaps
from bot.changes import CHANGES
from bot.config.policy import Policy
from bot.people import People
from services.domain.errors import Unavailable
from services.domain.systems import RUNBOOK
from tests.unit.bot.approvals.conftest import DEFAULT_RULES, MakePolicy

NOW = datetime(2026, 1, 7, 12, 0, tzinfo=UTC)  # a Wednesday
WEEKEND = 'hours = ["weekend 00:00-midnight"]\n'
FACTS = re.compile("request|approve|for .+|[a-z]{3} [0-9]{2}:[0-9]{2} UTC")


def facts(why: str | Unavailable | None) -> list[str]:
    """The right that no one has, the services if not all, and from when if not always: ["approve", "for api"]."""
    assert isinstance(why, str)
    return FACTS.findall(why)


@pytest.mark.parametrize(
    ("rules", "gaps"),
    [
        ('[[deny]]\nmay = "request"\nwho = ["*"]\n' + WEEKEND, {}),
        ('[[deny]]\nmay = "approve"\nwho = ["*"]\n' + WEEKEND, {}),
        (
            '[[deny]]\nmay = "request"\nwho = ["*"]\nverbs = ["stop-workers", "scale"]\n' + WEEKEND,
            {"stop-workers": ["request", "sat 00:00 UTC"]},
        ),
        (
            '[[deny]]\nmay = "approve"\nwho = ["*"]\nverbs = ["rollback"]\n' + WEEKEND,
            {"rollback": ["approve", "sat 00:00 UTC"]},
        ),
    ],
)
def test_hours_without_verbs_leave_emergencies_alone_and_named_ones_are_a_gap(
    make_policy: MakePolicy, people: People, rules: str, gaps: dict[str, list[str]]
) -> None:
    found = find_gaps(make_policy(DEFAULT_RULES + rules), people, "prod", RUNBOOK.services, NOW)

    assert {change: facts(why) for change, why in found.items() if why is not None} == gaps


def test_enough_people_leave_no_gap(policy: Policy, people: People) -> None:
    assert find_gaps(policy, people, "prod", RUNBOOK.services, NOW) == dict.fromkeys(CHANGES)


def test_without_operators_no_one_could_ask_for_anything(make_policy: MakePolicy, people: People) -> None:
    gaps = find_gaps(make_policy(operators=()), people, "prod", RUNBOOK.services, NOW)

    assert {tuple(facts(why)) for why in gaps.values()} == {("request",)}


def test_without_approvers_only_what_needs_none_is_left(make_policy: MakePolicy, people: People) -> None:
    gaps = find_gaps(make_policy(approvers=()), people, "prod", RUNBOOK.services, NOW)

    assert {change for change, why in gaps.items() if why is None} == {"requeue", "restart", "stop-workers", "unlock"}
    assert facts(gaps["rollback"]) == ["approve"]


def test_only_operator_who_is_the_only_approver_could_approve_nothing(make_policy: MakePolicy, people: People) -> None:
    gaps = find_gaps(make_policy(operators=("U0ANN",), approvers=("U0ANN",)), people, "prod", RUNBOOK.services, NOW)

    assert facts(gaps["deploy"]) == ["approve"]


def test_gap_of_one_service_is_named(make_policy: MakePolicy, people: People) -> None:
    deny = '[[deny]]\nmay = "approve"\nwho = ["*"]\nverbs = ["rollback"]\nservices = ["api"]\n'

    gaps = find_gaps(make_policy(DEFAULT_RULES + deny), people, "prod", RUNBOOK.services, NOW)

    assert facts(gaps["rollback"]) == ["approve", "for api"]
    assert gaps["deploy"] is None


def test_a_rule_about_services_leaves_no_gap_for_a_change_that_takes_none(
    make_policy: MakePolicy, people: People
) -> None:
    deny = '[[deny]]\nmay = "approve"\nwho = ["*"]\nservices = ["api"]\n'

    gaps = find_gaps(make_policy(DEFAULT_RULES + deny), people, "prod", RUNBOOK.services, NOW)

    assert facts(gaps["scale"]) == ["approve", "for api"]
    assert gaps["golden-path"] is None


def test_gap_of_one_environment_is_only_there(make_policy: MakePolicy, people: People) -> None:
    policy = make_policy(DEFAULT_RULES + '[[deny]]\nmay = "request"\nwho = ["*"]\nenvironments = ["prod"]\n')

    assert facts(find_gaps(policy, people, "prod", RUNBOOK.services, NOW)["scale"]) == ["request"]
    assert find_gaps(policy, people, "dev", RUNBOOK.services, NOW)["scale"] is None


def test_groups_that_slack_does_not_report_of_are_unknown(policy: Policy, people: People) -> None:
    gaps = find_gaps(policy, replace(people, groups={}), "prod", RUNBOOK.services, NOW)

    assert all(isinstance(why, Unavailable) for why in gaps.values())
