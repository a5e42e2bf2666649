"""Verdicts of the policy: deny wins, what no rule allows is refused, and unknown members allow nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.approvals.access import Allowed, Refused, able, approver_ids, judge, still_holds
from bot.config.policy import Policy, Right, Severities, Target
from bot.people import MAX_AGE, Account, Members, People
from services.domain.errors import Unavailable
from services.domain.incidents import IncidentSeverity
from services.domain.people import Person, Profile
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.unit.bot.approvals.conftest import APPROVERS, DEFAULT_RULES, OPERATORS, TEAM, MakePolicy

ALL = Target("rollback", frozenset(RUNBOOK.services), "prod")


def refused(right: Right, person: Person, target: Target, policy: Policy, people: People) -> str:
    verdict = judge(right, person, target, policy, people)
    assert isinstance(verdict, Refused)
    return verdict.sentence


def test_judge_allows_a_listed_person(olivia: Person, rollback: Target, policy: Policy, people: People) -> None:
    assert judge(Right.REQUEST, olivia, rollback, policy, people) == Allowed(("line 3",))


def test_judge_refuses_an_unlisted_person_and_names_the_approvers(
    otto: Person, rollback: Target, policy: Policy, people: People
) -> None:
    assert refused(Right.APPROVE, otto, rollback, policy, people) == (
        "You don't have permission to approve `rollback` for api in prod. <!subteam^S0APPROVERS> can approve it."
    )


def test_one_right_is_not_the_other(olivia: Person, rollback: Target, policy: Policy, people: People) -> None:
    assert "approve" in refused(Right.APPROVE, olivia, rollback, policy, people)


@pytest.mark.parametrize("right", Right)
def test_empty_list_means_no_one(
    right: Right, ann: Person, rollback: Target, make_policy: MakePolicy, people: People
) -> None:
    policy = make_policy(operators=(), approvers=())

    assert f"No one can {right} `rollback` in prod" in refused(right, ann, rollback, policy, people)


def test_deny_wins_over_any_number_of_allows(
    ann: Person, rollback: Target, make_policy: MakePolicy, people: People
) -> None:
    deny = '[[deny]]\nmay = "approve"\nwho = ["U0ANN"]\nverbs = ["rollback"]\n'
    policy = make_policy(DEFAULT_RULES + DEFAULT_RULES + deny)

    assert "does not allow you to approve" in refused(Right.APPROVE, ann, rollback, policy, people)
    assert "<@U0BEN> can approve it." in refused(Right.APPROVE, ann, rollback, policy, people)
    assert isinstance(judge(Right.APPROVE, ann, replace(rollback, playbook="deploy"), policy, people), Allowed)


def test_refusal_by_a_deny_with_conditions_names_them(ann: Person, make_policy: MakePolicy, people: People) -> None:
    deny = '[[deny]]\nmay = "request"\nwho = ["U0ANN"]\nverbs = ["{}"]\n{}\n'
    rules = deny.format("deploy", 'severity = ["sev1", "sev2"]') + deny.format("scale", 'arguments = ["replicas > 3"]')
    policy = make_policy(DEFAULT_RULES + rules)
    sev1: dict[Service | None, IncidentSeverity] = {Service.API: IncidentSeverity.SEV1}
    during = Target("deploy", frozenset({Service.API}), "prod", incidents=Severities(sev1, sev1))
    many = Target("scale", frozenset({Service.API}), "prod", parameters={"service": "api", "to": "4"})

    for target, condition in ((during, "in an open SEV1 or SEV2"), (many, "replicas > 3")):
        assert f"for api in prod under this condition: {condition}." in refused(
            Right.REQUEST, ann, target, policy, people
        )


def test_everyone_can_be_denied(ann: Person, make_policy: MakePolicy, people: People) -> None:
    policy = make_policy(DEFAULT_RULES + '[[deny]]\nmay = "request"\nwho = ["*"]\nenvironments = ["prod"]\n')

    assert "one can request" in refused(Right.REQUEST, ann, ALL, policy, people)
    assert isinstance(judge(Right.REQUEST, ann, replace(ALL, environment="dev"), policy, people), Allowed)


def test_every_service_has_to_be_allowed(ann: Person, make_policy: MakePolicy, people: People) -> None:
    rule = '[[allow]]\nmay = "approve"\nwho = ["U0ANN"]\nservices = ["{}"]\n'
    workers, all_of_them = rule.format("workers"), rule.format("workers") + rule.format("api")

    assert "rollback` for api" in refused(Right.APPROVE, ann, ALL, make_policy(workers), people)
    assert isinstance(judge(Right.APPROVE, ann, ALL, make_policy(all_of_them), people), Allowed)


def test_denied_service_denies_the_whole_change(ann: Person, make_policy: MakePolicy, people: People) -> None:
    policy = make_policy(DEFAULT_RULES + '[[deny]]\nmay = "approve"\nwho = ["U0ANN"]\nservices = ["ingest"]\n')

    assert "for ingest" in refused(Right.APPROVE, ann, ALL, policy, people)


def test_rule_about_services_is_not_about_a_change_without_any(
    ann: Person, make_policy: MakePolicy, people: People
) -> None:
    jobs = Target("requeue", frozenset(), "prod")
    policy = make_policy('[[allow]]\nmay = "request"\nwho = ["U0ANN"]\nservices = ["workers"]\n')

    assert "`requeue` in prod" in refused(Right.REQUEST, ann, jobs, policy, people)


def test_member_who_was_removed_is_refused(ann: Person, rollback: Target, policy: Policy, people: People) -> None:
    left = replace(people, groups={**people.groups, APPROVERS: Members(frozenset({"U0BEN"}), timedelta(0))})

    assert "<!subteam^S0APPROVERS> can approve it" in refused(Right.APPROVE, ann, rollback, policy, left)


def test_other_workspace_is_refused(ann: Person, rollback: Target, policy: Policy, people: People) -> None:
    stranger = replace(ann, team_id="T0OTHER")

    assert refused(Right.APPROVE, stranger, rollback, policy, people).startswith("You belong to another workspace")


@pytest.mark.parametrize(
    ("account", "why"),
    [
        (Account(Profile(TEAM)), None),
        (Account(Profile(TEAM), MAX_AGE), None),
        (Account(Profile(TEAM), MAX_AGE + timedelta(seconds=1)), "did not return your account"),
        (Unavailable("Slack", "no answer in time"), "did not return your account (no answer in time)"),
        (None, "did not return your account"),
        (Account(Profile("T0OTHER")), "another workspace"),
        (Account(Profile(TEAM, is_stranger=True)), "another workspace"),
        (Account(Profile(TEAM, is_deactivated=True)), "deactivated"),
        (Account(Profile(TEAM, is_guest=True)), "guest"),
        (Account(Profile(TEAM, is_bot=True)), "bot"),
    ],
)
@pytest.mark.parametrize("right", Right)
def test_account_that_is_not_one_of_ours_holds_no_right(
    right: Right,
    account: Account | Unavailable | None,
    why: str | None,
    ann: Person,
    rollback: Target,
    policy: Policy,
    people: People,
) -> None:
    known = replace(people, accounts={ann.user_id: account} if account else {})

    verdict = judge(right, ann, rollback, policy, known)

    if why is None:
        assert isinstance(verdict, Allowed)
    else:
        assert isinstance(verdict, Refused)
        assert why in verdict.why


def test_workspace_that_no_payload_named_is_that_of_the_account(
    ann: Person, rollback: Target, policy: Policy, people: People
) -> None:
    unnamed, nowhere = replace(ann, team_id=""), replace(people, accounts={ann.user_id: Account(Profile())})

    assert isinstance(judge(Right.APPROVE, unnamed, rollback, policy, people), Allowed)
    assert "which workspace you belong to" in refused(Right.APPROVE, unnamed, rollback, policy, nowhere)


@pytest.mark.parametrize(
    "profile", [Profile(TEAM, is_guest=True), Profile(TEAM, is_deactivated=True), Profile(is_stranger=True)]
)
def test_guest_or_deactivated_person_loses_every_right(
    profile: Profile, ann: Person, rollback: Target, policy: Policy, people: People
) -> None:
    known = replace(people, accounts={ann.user_id: Account(profile)})

    assert not still_holds(Right.APPROVE, ann, rollback, policy, known)
    assert still_holds(Right.APPROVE, ann, rollback, policy, replace(people, accounts={}))
    assert able(Right.APPROVE, rollback, policy, known).users == {"U0BEN"}


def test_no_one_is_known_before_our_own_workspace_is(
    ann: Person, rollback: Target, policy: Policy, people: People
) -> None:
    assert "which workspace the bot is in" in refused(
        Right.APPROVE, ann, rollback, policy, replace(people, workspace=None)
    )


def test_bot_is_refused_and_not_counted(ann: Person, rollback: Target, policy: Policy, people: People) -> None:
    with_bot = replace(people, accounts={ann.user_id: Account(Profile(TEAM, is_bot=True))})

    assert refused(Right.APPROVE, ann, rollback, policy, with_bot).startswith("Bots have no permissions")
    assert able(Right.APPROVE, rollback, policy, with_bot).users == {"U0BEN"}


def aged(people: People, age: timedelta) -> People:
    members = Members(frozenset({"U0ANN", "U0BEN"}), age)
    return replace(people, groups={**people.groups, APPROVERS: members})


def test_old_members_count_with_their_age_shown(ann: Person, rollback: Target, policy: Policy, people: People) -> None:
    verdict = judge(Right.APPROVE, ann, rollback, policy, aged(people, MAX_AGE))

    assert isinstance(verdict, Allowed)
    assert verdict.notes == ("Slack does not answer: members of <!subteam^S0APPROVERS> as of 60 min ago",)


def test_members_read_more_than_an_hour_ago_do_not_count(
    ann: Person, rollback: Target, policy: Policy, people: People
) -> None:
    sentence = refused(Right.APPROVE, ann, rollback, policy, aged(people, MAX_AGE + timedelta(seconds=1)))

    assert "last read 60 min ago, and an hour is the limit" in sentence
    assert sentence.endswith("<!subteam^S0APPROVERS>.")


def test_group_that_was_never_read_allows_no_one(ann: Person, rollback: Target, policy: Policy, people: People) -> None:
    unread = replace(people, groups={})

    assert "are unknown: they were never read" in refused(Right.APPROVE, ann, rollback, policy, unread)


def test_listed_user_needs_no_group(ann: Person, rollback: Target, make_policy: MakePolicy, people: People) -> None:
    policy = make_policy(approvers=(APPROVERS, ann.user_id))

    assert judge(Right.APPROVE, ann, rollback, policy, replace(people, groups={})) == Allowed(("line 6",))


def test_deny_of_a_group_that_is_not_known_holds(
    ann: Person, rollback: Target, make_policy: MakePolicy, people: People
) -> None:
    policy = make_policy(DEFAULT_RULES + '[[deny]]\nmay = "approve"\nwho = ["S0INTERNS"]\n')
    unread = replace(people, groups={**people.groups, "S0INTERNS": Unavailable("Slack", "no answer")})

    sentence = refused(Right.APPROVE, ann, rollback, policy, unread)

    assert "it is unknown whether that includes you" in sentence
    assert sentence.endswith("<!subteam^S0INTERNS>.")


def test_approvers_to_report_are_those_of_every_service(make_policy: MakePolicy) -> None:
    workers = '[[allow]]\nmay = "approve"\nwho = ["U0BEN"]\nservices = ["workers"]\n'
    policy = make_policy(DEFAULT_RULES + workers)

    assert approver_ids(ALL, policy) == (APPROVERS,)
    assert approver_ids(replace(ALL, services=frozenset({Service.INGEST})), policy) == (APPROVERS, "U0BEN")


def test_both_groups_of_the_default_are_asked_for(policy: Policy) -> None:
    assert policy.groups == {OPERATORS, APPROVERS}
