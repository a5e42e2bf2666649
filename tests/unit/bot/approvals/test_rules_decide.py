"""Rights to request, confirm, approve and deny: tables, and rules that hold for every combination."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.approvals import rules as decide
from bot.approvals.access import Allowed, Refused, Verdict
from bot.approvals.decisions import new_run as new_approved_run
from bot.approvals.rules import Needs
from bot.config.policy import Policy, Right, Rule, Target
from bot.people import Account, Members, People
from bot.views.modals import typed_modal
from playbooks.model import Risk
from playbooks.plan import Plan
from playbooks.steps import RestartDeployment
from services.domain.people import Person, Profile
from services.domain.runs import UNDECIDED, Decision, Run, RunState
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.unit.bot.approvals.conftest import APPROVERS, NOW, TEAM, MakePolicy, MakeRun, new_run

CRITICAL = {"risk": "critical", "approvals_needed": 2, "playbook": "rollback-db", "parameters": {"version": "2025"}}
PHRASE = "rollback-db 2025 prod"


def refused(verdict: Verdict) -> str:
    assert isinstance(verdict, Refused), verdict
    return verdict.sentence


def approve(run: Run, person: Person, policy: Policy, people: People, *decisions: Decision, typed: str = "") -> Verdict:
    return decide.may_decide(
        run, person, approve=True, typed=typed, decisions=decisions, now=NOW, policy=policy, people=people
    )


def deny(run: Run, person: Person, policy: Policy, people: People) -> Verdict:
    return decide.may_decide(run, person, approve=False, typed="", decisions=(), now=NOW, policy=policy, people=people)


def decision(run: Run, person: Person, *, approves: bool = True, plan_hash: str | None = None) -> Decision:
    return Decision(run.id, person, approves, "", plan_hash or run.plan_hash, "p" * 64, NOW)


@pytest.mark.parametrize(
    ("risk", "in_slack", "on_the_terminal"),
    [
        (Risk.LOW, Needs(0, confirmation=True), Needs(1)),
        (Risk.HIGH, Needs(1), Needs(2)),
        (Risk.CRITICAL, Needs(2, typed=True), Needs(3, typed=True)),
        (Risk.BREAK_GLASS, Needs(0), Needs(0)),
    ],
)
def test_risk_reports_how_many_have_to_agree(risk: Risk, in_slack: Needs, on_the_terminal: Needs) -> None:
    assert decide.needs(risk, has_requester=True) == in_slack
    assert decide.needs(risk, has_requester=False) == on_the_terminal


@pytest.mark.parametrize("risk", Risk)
def test_operator_may_request(risk: Risk, olivia: Person, rollback: Target, policy: Policy, people: People) -> None:
    assert isinstance(decide.may_request(olivia, rollback, risk, policy, people), Allowed)


@pytest.mark.parametrize("risk", Risk)
def test_outsider_may_not_request(risk: Risk, otto: Person, rollback: Target, policy: Policy, people: People) -> None:
    assert "<!subteam^S0OPERATORS> can request it." in refused(decide.may_request(otto, rollback, risk, policy, people))


@pytest.mark.parametrize(
    ("risk", "approvers", "lacking"),
    [
        (Risk.LOW, (), 0),
        (Risk.BREAK_GLASS, (), 0),
        (Risk.HIGH, (), 1),
        (Risk.HIGH, ("U0ANN",), 1),  # the requester
        (Risk.HIGH, ("U0ANN", "U0BEN"), 0),
        (Risk.CRITICAL, ("U0ANN",), 1),
        (Risk.CRITICAL, ("U0ANN", "U0BEN"), 0),  # the requester counts as one of the two
    ],
)
def test_request_is_refused_when_too_few_could_approve(
    risk: Risk,
    approvers: tuple[str, ...],
    lacking: int,
    ann: Person,
    rollback: Target,
    make_policy: MakePolicy,
    people: People,
) -> None:
    policy = make_policy(approvers=approvers)

    assert decide.approvers_lacking(ann, rollback, risk, policy, people) == lacking
    verdict = decide.may_request(ann, rollback, risk, policy, people)
    assert isinstance(verdict, Refused if lacking else Allowed)


@pytest.mark.parametrize(("risk", "needed"), [(Risk.LOW, 1), (Risk.HIGH, 2), (Risk.CRITICAL, 3)])
@pytest.mark.parametrize("count", range(4))
def test_terminal_needs_one_approver_more(
    risk: Risk, needed: int, count: int, rollback: Target, make_policy: MakePolicy, people: People
) -> None:
    policy = make_policy(approvers=tuple(f"U0APPROVER{n}" for n in range(count)))

    verdict = decide.may_request(None, rollback, risk, policy, people)

    assert isinstance(verdict, Allowed) is (count >= needed)


def test_terminal_breaks_no_glass(rollback: Target, policy: Policy, people: People) -> None:
    assert "Slack" in refused(decide.may_request(None, rollback, Risk.BREAK_GLASS, policy, people))


def test_request_is_filed_while_no_one_knows_who_could_approve(
    olivia: Person, rollback: Target, policy: Policy, people: People
) -> None:
    """Slack may return the members before the request expires."""
    groups = {group: members for group, members in people.groups.items() if group != APPROVERS}

    verdict = decide.may_request(olivia, rollback, Risk.HIGH, policy, replace(people, groups=groups))

    assert isinstance(verdict, Allowed)


def test_approver_approves(make_run: MakeRun, ann: Person, policy: Policy, people: People) -> None:
    assert isinstance(approve(make_run(), ann, policy, people), Allowed)


@pytest.mark.parametrize("state", sorted(set(RunState) - UNDECIDED))
def test_decisions_are_refused_when_the_run_is_in_another_state(
    state: RunState, make_run: MakeRun, ann: Person, olivia: Person, policy: Policy, people: People
) -> None:
    run = make_run(state=state)

    assert f"it is {state.value}" in refused(approve(run, ann, policy, people))
    assert f"it is {state.value}" in refused(deny(run, ann, policy, people))
    assert f"it is {state.value}" in refused(decide.may_confirm(run, olivia, NOW, policy, people))


def test_request_expires_at_its_moment(make_run: MakeRun, ann: Person, policy: Policy, people: People) -> None:
    late, in_time = make_run(expires_at=NOW), make_run(expires_at=NOW + timedelta(microseconds=1))

    assert "has expired" in refused(approve(late, ann, policy, people))
    assert isinstance(approve(in_time, ann, policy, people), Allowed)


def test_requester_does_not_approve(make_run: MakeRun, ann: Person, policy: Policy, people: People) -> None:
    sentence = refused(approve(make_run(requested_by=ann), ann, policy, people))

    assert "own request" in sentence
    assert re.findall("<@(.+?)>", sentence) == ["U0BEN"]


def test_requester_is_known_by_the_user_alone(make_run: MakeRun, ann: Person, policy: Policy, people: People) -> None:
    run = make_run(requested_by=replace(ann, team_id="T0BEFORE"))

    assert "own request" in refused(approve(run, ann, policy, people))


def test_requester_of_something_critical_counts_as_one(
    make_run: MakeRun, ann: Person, ben: Person, policy: Policy, people: People
) -> None:
    run = make_run(requested_by=ann, **CRITICAL)

    assert isinstance(approve(run, ann, policy, people, typed=PHRASE), Allowed)
    assert decide.approvals_missing(run, [decision(run, ann)], policy, people) == 1
    assert decide.approvals_missing(run, [decision(run, ann), decision(run, ben)], policy, people) == 0


def test_critical_is_approved_with_its_phrase_only(
    make_run: MakeRun, ann: Person, otto: Person, policy: Policy, people: People
) -> None:
    run = make_run(**CRITICAL)

    assert refused(approve(run, ann, policy, people)).endswith(f"Type `{PHRASE}` to approve it.")
    assert refused(approve(run, ann, policy, people, typed="rollback-db 2024 prod"))
    assert "don't have permission" in refused(approve(run, otto, policy, people))
    assert isinstance(deny(run, ann, policy, people), Allowed)


@pytest.mark.parametrize(
    ("typed", "fits"),
    [
        (PHRASE, True),
        (f"  {PHRASE.upper()} \n", True),
        ("rollback-db  2025\tprod", True),
        ("rollback-db 2025", False),
        ("rollback-db 2025 dev", False),
        ("rollback-db2025prod", False),
        ("", False),
    ],
)
def test_case_and_spaces_of_the_phrase_do_not_matter(typed: str, fits: bool, make_run: MakeRun) -> None:
    assert decide.is_typed(make_run(**CRITICAL), typed) is fits


def test_phrase_names_what_is_changed_and_where(make_run: MakeRun) -> None:
    run = make_run(**CRITICAL | {"parameters": {"with_api": "yes", "version": "2025"}})

    assert decide.confirmation_phrase(run) == PHRASE


def test_phrase_has_a_commit_as_short_as_people_type_it(make_run: MakeRun) -> None:
    run = make_run(**CRITICAL | {"playbook": "deploy", "parameters": {"service": "api", "sha": "8d02b64e" * 5}})

    assert decide.confirmation_phrase(run) == "deploy api 8d02b64e prod"


def test_phrase_of_a_promoted_deploy_fits_into_its_dialog(make_run: MakeRun) -> None:
    """The proof and free text are too long to type, so the phrase leaves them out; approvers read them in the plan."""
    long = {"proof": "dev:dragonfly:api:" + "a" * 382, "exception": "x" * 300, "freezes": "3,5"}
    named = {"service": "enforcement", "sha": "8d02b64e" * 5, "at": "2025-12-08T02:00:00+00:00"}
    run = make_run(**CRITICAL | {"playbook": "deploy", "parameters": named | long, "environment": "p" * 40})
    phrase = decide.confirmation_phrase(run)

    modal = typed_modal(run, phrase, {})

    assert phrase == f"deploy 2025-12-08T02:00:00+00:00 enforcement 8d02b64e {'p' * 40}"
    assert f"`{phrase}`" in json.dumps(modal)
    assert len(phrase) <= modal["blocks"][-1]["element"]["max_length"]
    assert decide.is_typed(run, phrase)


def test_a_former_release_takes_no_run_with_a_parameter_that_it_does_not_know(policy: Policy, olivia: Person) -> None:
    """A replica claims a run only where it knows all of its kinds."""
    parameters = {
        "service": "api",
        "sha": "8d02b64e",
        "proof": "p",
        "exception": "why",
        "at": "2025-12-08T02:00:00+00:00",
    }
    plan = Plan("prod", "deploy", parameters, (RestartDeployment(Service.API, "d1"),), Risk.HIGH, "Deploy api")

    run = new_approved_run(plan, olivia, policy, channel="C0OPS", reason="", delivery=None)

    assert set(run.kinds) == {"RestartDeployment", "proof", "exception", "at"}


def test_no_one_decides_twice(make_run: MakeRun, ann: Person, policy: Policy, people: People) -> None:
    run = make_run(approvals_needed=2)

    sentence = refused(approve(run, ann, policy, people, decision(run, ann)))

    assert "already decided" in sentence
    assert re.findall("<@(.+?)>", sentence) == ["U0BEN"]


def test_requester_takes_the_request_back(make_run: MakeRun, olivia: Person, policy: Policy, people: People) -> None:
    assert isinstance(deny(make_run(), olivia, policy, people), Allowed)
    assert isinstance(deny(make_run(), replace(olivia, team_id="T0OTHER"), policy, people), Refused)


def test_outsider_denies_nothing(make_run: MakeRun, otto: Person, policy: Policy, people: People) -> None:
    assert "don't have permission" in refused(deny(make_run(), otto, policy, people))


def test_requester_confirms_what_is_of_low_risk(
    make_run: MakeRun, olivia: Person, ann: Person, policy: Policy, people: People
) -> None:
    run = make_run(state=RunState.PLANNED, risk="low", approvals_needed=0)

    assert isinstance(decide.may_confirm(run, olivia, NOW, policy, people), Allowed)
    assert "<@U0OLIVIA> can." in refused(decide.may_confirm(run, ann, NOW, policy, people))
    assert "<@U0OLIVIA> can." in refused(approve(run, ann, policy, people))


def test_operator_who_was_removed_confirms_nothing(
    make_run: MakeRun, olivia: Person, make_policy: MakePolicy, people: People
) -> None:
    run = make_run(state=RunState.PLANNED, risk="low", approvals_needed=0)

    assert refused(decide.may_confirm(run, olivia, NOW, make_policy(operators=("U0ANN",)), people))


def test_request_of_the_terminal_is_confirmed_by_no_one(
    make_run: MakeRun, olivia: Person, policy: Policy, people: People
) -> None:
    run = make_run(risk="low", approvals_needed=1, requested_by=None)

    assert "not a confirmation" in refused(decide.may_confirm(run, olivia, NOW, policy, people))


def test_only_approvals_of_this_very_plan_count(
    make_run: MakeRun, ann: Person, ben: Person, policy: Policy, people: People
) -> None:
    run = make_run(approvals_needed=2)
    decisions = [decision(run, ann), decision(run, ben, plan_hash="b" * 64)]

    assert decide.approvals_missing(run, decisions, policy, people) == 1


@pytest.mark.parametrize(("risk", "missing"), [(Risk.LOW, 1), (Risk.HIGH, 1), (Risk.CRITICAL, 0)])
def test_own_approval_of_the_requester_never_counts_but_for_something_critical(
    risk: Risk, missing: int, make_run: MakeRun, ann: Person, ben: Person, policy: Policy, people: People
) -> None:
    """Even where it is stored as a decision: by another version, or by hand."""
    run = make_run(requested_by=ann, risk=risk.value, approvals_needed=2)

    assert decide.approvals_missing(run, [decision(run, ann), decision(run, ben)], policy, people) == missing


USERS = ("U0ANN", "U0BEN", "U0OLIVIA", "U0OTTO")
GROUPS = ("S0ONE", "S0TWO")
_who = st.frozensets(st.sampled_from([*USERS, *GROUPS]), max_size=4)
_sets = st.none() | st.frozensets(st.sampled_from(["rollback", "scale"]), max_size=2)
_services = st.none() | st.frozensets(st.sampled_from(list(RUNBOOK.services)), max_size=2)
_rules = st.lists(
    st.builds(Rule, st.booleans(), st.sampled_from(Right), _who, _sets, _services, st.none()), max_size=6
).map(tuple)
_policies = st.builds(Policy, _rules, st.just(timedelta(minutes=15)), st.just("f" * 64))
_members = st.builds(Members, st.frozensets(st.sampled_from(USERS)), st.timedeltas(timedelta(0), timedelta(hours=2)))
_flags = st.booleans() | st.just(False)
_accounts = st.builds(Account, st.builds(Profile, st.sampled_from([TEAM, "T0OTHER"]), _flags, _flags, _flags, _flags))
_people = st.builds(
    People,
    st.sampled_from([TEAM, None]),
    st.dictionaries(st.sampled_from(GROUPS), _members),
    st.dictionaries(st.sampled_from(USERS), _accounts | st.just(Account(Profile(TEAM)))),
)
_persons = st.builds(Person, st.sampled_from(USERS), st.sampled_from([TEAM, "T0OTHER"]))
_risks = st.sampled_from(Risk)


def _run(requester: Person | None, risk: Risk, services: frozenset[Service]) -> Run:
    needs = decide.needs(risk, has_requester=requester is not None)
    return new_run(
        state=needs.first_state,
        risk=risk.value,
        requested_by=requester,
        services=tuple(service.value for service in services),
        approvals_needed=needs.approvals,
    )


def _approved_by(run: Run, clicks: list[Person], policy: Policy, people: People) -> tuple[bool, list[Decision]]:
    """Decide on each click as the approval service does. True if the run is approved; and the decisions that count."""
    counted: list[Decision] = []
    for person in clicks:
        typed = decide.confirmation_phrase(run)
        if isinstance(approve(run, person, policy, people, *counted, typed=typed), Allowed):
            counted.append(decision(run, person))
            if decide.approvals_missing(run, counted, policy, people) == 0:
                return True, counted
    return False, counted


_clicks = st.lists(_persons, max_size=6)
_touched = st.frozensets(st.sampled_from(list(RUNBOOK.services)))


@settings(deadline=None)
@given(_policies, _people, st.none() | _persons, _risks, _touched, _clicks)
def test_no_combination_approves_without_an_allow(
    policy: Policy,
    people: People,
    requester: Person | None,
    risk: Risk,
    touched: frozenset[Service],
    clicks: list[Person],
) -> None:
    """An empty list allows no one, whatever else the policy says."""
    rules = tuple(
        replace(rule, who=frozenset[str]()) if not rule.denies and rule.right is Right.APPROVE else rule
        for rule in policy.rules
    )

    approved, counted = _approved_by(_run(requester, risk, touched), clicks, replace(policy, rules=rules), people)

    assert not approved
    assert not counted


@settings(deadline=None)
@given(_policies, _people, st.none() | _persons, _risks, _touched, _clicks)
def test_every_approval_has_enough_distinct_people_and_never_the_requester_alone(
    policy: Policy,
    people: People,
    requester: Person | None,
    risk: Risk,
    touched: frozenset[Service],
    clicks: list[Person],
) -> None:
    run = _run(requester, risk, touched)

    approved, counted = _approved_by(run, clicks, policy, people)

    who = {one.person.user_id for one in counted}
    others = who - ({requester.user_id} if requester else set())
    if approved:
        assert len(who) == run.approvals_needed
        assert others
    if risk is not Risk.CRITICAL:
        assert who == others
    assert all(one.person.team_id == TEAM and not people.is_barred(one.person.user_id) for one in counted)


@settings(deadline=None)
@given(_policies, _people, _persons, _risks, _touched)
def test_denying_more_never_allows_more(
    policy: Policy, people: People, person: Person, risk: Risk, touched: frozenset[Service]
) -> None:
    run = _run(None, risk, touched)
    more = Rule(True, Right.APPROVE, frozenset({person.user_id}))

    verdict = approve(
        run, person, replace(policy, rules=(*policy.rules, more)), people, typed=decide.confirmation_phrase(run)
    )

    assert isinstance(verdict, Refused)


@settings(deadline=None)
@given(_policies, _people, _persons, _risks, _touched)
def test_every_refusal_is_a_sentence_that_reports_what_now(
    policy: Policy, people: People, person: Person, risk: Risk, touched: frozenset[Service]
) -> None:
    verdict = decide.may_request(person, Target("rollback", touched, "prod"), risk, policy, people)

    if isinstance(verdict, Refused):
        assert verdict.sentence[0].isupper()
        assert verdict.sentence.endswith(".")
        assert not verdict.why.endswith(".")
