"""Changes that no one can request or approve."""

from __future__ import annotations

from dataclasses import replace

from bot.approvals.rules import find_gaps
from bot.changes import CHANGES
from bot.config.policy import Policy
from bot.people import People
from services.domain.errors import Unavailable
from services.domain.systems import RUNBOOK
from tests.unit.bot.approvals.conftest import DEFAULT_RULES, MakePolicy


def test_enough_people_leave_no_gap(policy: Policy, people: People) -> None:
    assert find_gaps(policy, people, "prod", RUNBOOK.services) == dict.fromkeys(CHANGES)


def test_without_operators_no_one_could_ask_for_anything(make_policy: MakePolicy, people: People) -> None:
    gaps = find_gaps(make_policy(operators=()), people, "prod", RUNBOOK.services)

    assert set(gaps.values()) == {"no one can request it"}


def test_without_approvers_only_what_needs_none_is_left(make_policy: MakePolicy, people: People) -> None:
    gaps = find_gaps(make_policy(approvers=()), people, "prod", RUNBOOK.services)

    assert {change for change, why in gaps.items() if why is None} == {"requeue", "restart", "stop-workers", "unlock"}
    assert gaps["rollback"] == "no one can approve it"


def test_only_operator_who_is_the_only_approver_could_approve_nothing(make_policy: MakePolicy, people: People) -> None:
    gaps = find_gaps(make_policy(operators=("U0ANN",), approvers=("U0ANN",)), people, "prod", RUNBOOK.services)

    assert gaps["deploy"] == "no one can approve it"


def test_gap_of_one_service_is_named(make_policy: MakePolicy, people: People) -> None:
    deny = '[[deny]]\nmay = "approve"\nwho = ["*"]\nverbs = ["rollback"]\nservices = ["api"]\n'

    gaps = find_gaps(make_policy(DEFAULT_RULES + deny), people, "prod", RUNBOOK.services)

    assert gaps["rollback"] == "no one can approve it for api"
    assert gaps["deploy"] is None


def test_a_rule_about_services_leaves_no_gap_for_a_change_that_takes_none(
    make_policy: MakePolicy, people: People
) -> None:
    deny = '[[deny]]\nmay = "approve"\nwho = ["*"]\nservices = ["api"]\n'

    gaps = find_gaps(make_policy(DEFAULT_RULES + deny), people, "prod", RUNBOOK.services)

    assert gaps["scale"] == "no one can approve it for api"
    assert gaps["golden-path"] is None


def test_gap_of_one_environment_is_only_there(make_policy: MakePolicy, people: People) -> None:
    policy = make_policy(DEFAULT_RULES + '[[deny]]\nmay = "request"\nwho = ["*"]\nenvironments = ["prod"]\n')

    assert find_gaps(policy, people, "prod", RUNBOOK.services)["scale"] == "no one can request it"
    assert find_gaps(policy, people, "dev", RUNBOOK.services)["scale"] is None


def test_groups_that_slack_does_not_report_of_are_unknown(policy: Policy, people: People) -> None:
    gaps = find_gaps(policy, replace(people, groups={}), "prod", RUNBOOK.services)

    assert all(isinstance(why, Unavailable) for why in gaps.values())
