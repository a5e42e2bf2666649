"""Emergency self-approval: only inside an incident, by an approver, after the other approvers had their time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.approvals.access import Allowed, Refused, Verdict
from bot.approvals.emergencies import (
    ALERT,
    LATER,
    Confirmation,
    Emergency,
    covering_emergencies,
    find_emergency,
    may_self_approve,
    whom_to_page,
    why_no_self_approval,
)
from bot.config.policy import Policy, Target
from bot.people import People
from playbooks.model import Risk
from services.domain.incidents import IncidentSeverity, IncidentState
from services.domain.people import Person
from services.domain.runs import Decision, Run, RunState, SelfApproval
from services.domain.services import Service
from tests.incidents import new_incident
from tests.unit.bot.approvals.conftest import NOW, MakeRun

COUNTDOWN = timedelta(seconds=60)
SELF_APPROVAL = SelfApproval(7, 4, NOW - timedelta(minutes=3), NOW)
INCIDENT = replace(new_incident(4, at=NOW), title="api is down", services=(Service.API.value,))
EMERGENCY = Emergency(INCIDENT, [Confirmation(ALERT)])


@pytest.fixture
def run(make_run: MakeRun, ann: Person) -> Run:
    """A run requested by Ann, who may approve such changes of others."""
    return make_run(requested_by=ann)


def judge(run: Run, person: Person, policy: Policy, people: People, **changed: object) -> Verdict:
    given: dict[str, object] = {
        "pending_self_approval": SELF_APPROVAL,
        "emergency": EMERGENCY,
        "decisions": (),
        "now": NOW,
        "countdown": COUNTDOWN,
    }
    return may_self_approve(run, person=person, policy=policy, people=people, **(given | changed))  # type: ignore[arg-type]


def refused(verdict: Verdict) -> str:
    assert isinstance(verdict, Refused), verdict
    return verdict.sentence


def test_an_approver_may_self_approve_when_no_other_answers(
    run: Run, ann: Person, policy: Policy, people: People
) -> None:
    assert isinstance(judge(run, ann, policy, people), Allowed)


@pytest.mark.parametrize(("early", "may"), [(timedelta(), True), (timedelta(microseconds=1), False)])
def test_the_approvers_have_their_time_to_the_end(
    early: timedelta, may: bool, run: Run, ann: Person, policy: Policy, people: People
) -> None:
    assert isinstance(judge(run, ann, policy, people, now=NOW - early), Allowed) is may


@pytest.mark.parametrize(("left", "may"), [(COUNTDOWN, False), (COUNTDOWN + timedelta(microseconds=1), True)])
def test_the_countdown_ends_before_the_request_expires(
    left: timedelta, may: bool, run: Run, ann: Person, policy: Policy, people: People
) -> None:
    assert isinstance(judge(replace(run, expires_at=NOW + left), ann, policy, people), Allowed) is may


def test_self_approval_is_refused_to_others_and_without_an_offer(
    run: Run, ann: Person, ben: Person, policy: Policy, people: People
) -> None:
    assert "self-approved" in refused(judge(run, ben, policy, people))
    without_page = judge(run, ann, policy, people, pending_self_approval=None)
    assert "self-approved" in refused(without_page)


def test_not_without_the_incident(run: Run, ann: Person, policy: Policy, people: People) -> None:
    over = replace(EMERGENCY, incident=replace(INCIDENT, state=IncidentState.RESOLVED))

    assert "incident is resolved" in refused(judge(run, ann, policy, people, emergency=over))
    assert "incident is resolved" in refused(judge(run, ann, policy, people, emergency=None))


@pytest.mark.parametrize("severity", IncidentSeverity)
def test_a_sev3_is_no_emergency(
    severity: IncidentSeverity, run: Run, ann: Person, policy: Policy, people: People
) -> None:
    emergency = replace(EMERGENCY, incident=replace(INCIDENT, severity=severity))

    verdict = judge(run, ann, policy, people, emergency=emergency)

    assert isinstance(verdict, Allowed) is (severity is not IncidentSeverity.SEV3)
    assert find_emergency(ann, [emergency]) == (None if severity is IncidentSeverity.SEV3 else emergency.incident)


@pytest.mark.parametrize(
    ("opener", "by_alert", "acknowledged_by", "counts"),
    [
        (None, True, [], True),
        (None, False, [], False),  # from a terminal: by an unknown person
        ("U0BEN", False, [], True),
        ("U0ANN", False, [], False),
        ("U0ANN", False, ["U0ANN"], False),
        ("U0ANN", False, ["U0BEN", "U0ANN"], True),
        ("U0ANN", True, [], True),
    ],
)
def test_an_incident_of_the_requester_alone_is_no_emergency(
    opener: str | None,
    by_alert: bool,
    acknowledged_by: list[str],
    counts: bool,
    run: Run,
    ann: Person,
    policy: Policy,
    people: People,
) -> None:
    incident = replace(INCIDENT, opened_by=Person(opener, ann.team_id) if opener else None)
    emergency = Emergency(incident, [*[Confirmation(ALERT)] * by_alert, *map(Confirmation, acknowledged_by)])

    verdict = judge(run, ann, policy, people, emergency=emergency)

    assert isinstance(verdict, Allowed) is counts
    assert (find_emergency(ann, [emergency]) == incident) is counts
    if not counts:
        assert refused(verdict).startswith("No alert")
        assert "incident 4" in refused(verdict)


def test_a_severity_that_the_requester_raised_is_no_emergency_until_another_confirms_it(
    run: Run, ann: Person, ben: Person, policy: Policy, people: People
) -> None:
    raised = Confirmation(ann.user_id, IncidentSeverity.SEV1, IncidentSeverity.SEV3)
    bens = replace(INCIDENT, opened_by=ben)
    before, own, another = [Confirmation(one) for one in (ALERT, ann.user_id, ben.user_id)]

    for confirmations, counts in (
        ([raised], False),
        ([before, raised, own], False),
        ([another, raised], False),
        ([raised, another], True),
        ([raised, before], True),
        ([replace(raised, by=ben.user_id)], True),
        ([replace(raised, before=None)], False),  # as a former version wrote it
    ):
        verdict = judge(run, ann, policy, people, emergency=Emergency(bens, confirmations))
        assert isinstance(verdict, Allowed) is counts, confirmations


def test_a_drill_is_no_emergency_until_a_real_alert_joins_it(
    run: Run, ann: Person, ben: Person, policy: Policy, people: People
) -> None:
    drill = replace(INCIDENT, fingerprint="drill.1")
    acknowledged = Emergency(drill, [Confirmation(ben.user_id)])

    assert "incident 4 is a drill" in refused(judge(run, ann, policy, people, emergency=acknowledged)).lower()
    real = Emergency(drill, [Confirmation(ALERT)])
    assert isinstance(judge(run, ann, policy, people, emergency=real), Allowed)


def test_the_first_incident_that_counts_is_taken(ann: Person) -> None:
    own = Emergency(replace(INCIDENT, id=3, opened_by=ann))

    assert find_emergency(ann, [own, EMERGENCY]) == INCIDENT
    assert find_emergency(ann, [own]) is None
    assert find_emergency(None, [EMERGENCY]) is None


def test_an_answer_is_no_silence(run: Run, ann: Person, ben: Person, policy: Policy, people: People) -> None:
    answer = Decision(run.id, ben, True, "", run.plan_hash, "p", NOW)

    assert refused(judge(run, ann, policy, people, decisions=[answer]))


@pytest.mark.parametrize("state", sorted(set(RunState) - {RunState.AWAITING_APPROVAL}))
def test_self_approval_is_refused_in_every_other_state(
    state: RunState, make_run: MakeRun, ann: Person, policy: Policy, people: People
) -> None:
    assert f"already {state.value}" in refused(judge(make_run(requested_by=ann, state=state), ann, policy, people))


def test_an_approver_who_was_removed_may_not(run: Run, policy: Policy, people: People, olivia: Person) -> None:
    assert "don't have permission to approve" in refused(
        judge(replace(run, requested_by=olivia), olivia, policy, people)
    )


API = frozenset({Service.API})


@pytest.mark.parametrize(
    ("verb", "risk", "may"),
    [
        ("rollback", Risk.HIGH, True),
        ("restart", Risk.HIGH, True),
        ("scale", Risk.HIGH, True),
        ("deploy", Risk.HIGH, False),
        ("rollback-db", Risk.CRITICAL, False),
        ("rollback", Risk.CRITICAL, False),
        ("restart", Risk.LOW, False),
    ],
)
def test_only_these_changes_may_be_self_approved(
    verb: str, risk: Risk, may: bool, ann: Person, policy: Policy, people: People
) -> None:
    why = why_no_self_approval(ann, Target(verb, API, "prod"), risk, [EMERGENCY], policy, people)

    assert (why is None) is may
    assert why is None or f"`{verb}`" in why  # no other reason names the change


def test_a_run_that_starts_later_is_never_self_approved(run: Run, ann: Person, policy: Policy, people: People) -> None:
    """The incident may be over when it starts, and no approver looks again."""
    later = replace(run, start_at=NOW + timedelta(days=5), expires_at=NOW + timedelta(days=6))
    target = Target("scale", API, "prod")

    assert "starts later" in refused(judge(later, ann, policy, people))
    assert why_no_self_approval(ann, target, Risk.HIGH, [EMERGENCY], policy, people, starts_later=True) == LATER


def test_the_requester_sees_why_they_may_not_self_approve(
    ann: Person, olivia: Person, policy: Policy, people: People
) -> None:
    target = Target("rollback", API, "prod")
    own = Emergency(replace(INCIDENT, opened_by=ann))

    assert why_no_self_approval(olivia, target, Risk.HIGH, [EMERGENCY], policy, people) == "only approvers can"
    assert "terminal" in (why_no_self_approval(None, target, Risk.HIGH, [EMERGENCY], policy, people) or "")
    assert "no alert" in (why_no_self_approval(ann, target, Risk.HIGH, [own], policy, people) or "")
    assert why_no_self_approval(ann, target, Risk.HIGH, [own, EMERGENCY], policy, people) is None


def test_approvers_are_paged_but_not_for_their_own_request(
    ann: Person, ben: Person, olivia: Person, policy: Policy, people: People
) -> None:
    target = Target("rollback", API, "prod")

    assert whom_to_page(ann, target, policy, people) == [ben.user_id]
    assert whom_to_page(olivia, target, policy, people) == sorted([ann.user_id, ben.user_id])
    assert whom_to_page(None, target, policy, people) == sorted([ann.user_id, ben.user_id])


def test_an_incident_covers_its_own_services_and_environment_only() -> None:
    one, about_all = EMERGENCY, replace(EMERGENCY, incident=replace(INCIDENT, id=5, services=()))

    assert covering_emergencies(Target("rollback", API, "prod"), [one, about_all]) == [one, about_all]
    assert covering_emergencies(Target("rollback", API, "dev"), [one, about_all]) == []
    both = Target("rollback", frozenset({Service.API, Service.INGEST}), "prod")
    assert covering_emergencies(both, [one, about_all]) == [about_all]
