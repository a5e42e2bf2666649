"""Rights to cancel, resolve and review a run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.approvals import rules
from bot.approvals.access import Allowed, Refused, Verdict
from bot.config.policy import Policy
from bot.people import Account, People
from services.domain.people import Person, Profile
from services.domain.runs import Review, RunState
from tests.unit.bot.approvals.conftest import NOW, MakeRun


def refused(verdict: Verdict) -> str:
    assert isinstance(verdict, Refused), verdict
    return verdict.sentence


@pytest.mark.parametrize("state", [state for state in RunState if not state.is_final])
def test_requester_and_approvers_may_cancel(
    state: RunState, make_run: MakeRun, olivia: Person, ben: Person, otto: Person, policy: Policy, people: People
) -> None:
    run = make_run(state=state)

    assert isinstance(rules.may_cancel(run, olivia, policy, people), Allowed)
    assert isinstance(rules.may_cancel(run, ben, policy, people), Allowed)
    assert refused(rules.may_cancel(run, otto, policy, people))
    assert refused(rules.may_cancel(run, replace(olivia, team_id="T0OTHER"), policy, people))


def test_requester_without_rights_may_cancel_but_not_resolve_their_run(
    make_run: MakeRun, otto: Person, olivia: Person, policy: Policy, people: People
) -> None:
    run = make_run(state=RunState.UNKNOWN, requested_by=otto)  # removed from the operators since

    assert isinstance(rules.may_cancel(run, otto, policy, people), Allowed)
    assert "don't have permission to request" in refused(rules.may_resolve(run, otto, policy, people))
    assert isinstance(rules.may_resolve(run, olivia, policy, people), Allowed)


def test_a_guest_does_not_even_take_their_own_run_back(
    make_run: MakeRun, olivia: Person, policy: Policy, people: People
) -> None:
    guests = replace(people, accounts={olivia.user_id: Account(Profile(is_guest=True))})

    assert "Guests" in refused(rules.may_cancel(make_run(state=RunState.RUNNING), olivia, policy, guests))


@pytest.mark.parametrize("state", [state for state in RunState if state.is_final])
def test_a_run_that_has_ended_can_t_be_canceled(
    state: RunState, make_run: MakeRun, olivia: Person, policy: Policy, people: People
) -> None:
    assert f"already ended ({state.value})" in refused(rules.may_cancel(make_run(state=state), olivia, policy, people))


@pytest.mark.parametrize("state", list(RunState))
def test_only_an_unknown_run_may_be_resolved(
    state: RunState, make_run: MakeRun, ann: Person, policy: Policy, people: People
) -> None:
    verdict = rules.may_resolve(make_run(state=state), ann, policy, people)

    assert isinstance(verdict, Allowed) is (state is RunState.UNKNOWN)


def test_an_approver_reviews_what_another_person_did(
    make_run: MakeRun, olivia: Person, ann: Person, policy: Policy, people: People
) -> None:
    run, review = make_run(state=RunState.SUCCEEDED), Review(7, olivia, NOW)

    assert isinstance(rules.may_review(run, review, ann, policy, people), Allowed)


def test_approver_may_not_review_their_own_run(make_run: MakeRun, ann: Person, policy: Policy, people: People) -> None:
    run, review = make_run(state=RunState.SUCCEEDED), Review(7, ann, NOW)

    sentence = refused(rules.may_review(run, review, ann, policy, people))

    assert "your own run" in sentence
    assert "<@U0BEN> can approve it." in sentence


def test_an_outsider_and_an_operator_review_nothing(
    make_run: MakeRun, olivia: Person, otto: Person, ann: Person, policy: Policy, people: People
) -> None:
    run, review = make_run(state=RunState.SUCCEEDED), Review(7, ann, NOW)

    for person in (olivia, otto):
        assert "don't have permission to approve" in refused(rules.may_review(run, review, person, policy, people))


@pytest.mark.parametrize("state", RunState)
def test_a_review_waits_for_the_end_of_the_run(
    state: RunState, make_run: MakeRun, olivia: Person, ann: Person, policy: Policy, people: People
) -> None:
    verdict = rules.may_review(make_run(state=state), Review(7, olivia, NOW), ann, policy, people)

    assert isinstance(verdict, Allowed) is state.is_final


def test_a_review_is_closed_once_and_only_where_one_was_asked_for(
    make_run: MakeRun, olivia: Person, ann: Person, ben: Person, policy: Policy, people: People
) -> None:
    run, review = make_run(state=RunState.SUCCEEDED), Review(7, olivia, NOW)
    closed = replace(review, reviewed_by=ben, note="fine", reviewed_at=NOW)

    assert "<@U0BEN> has already" in refused(rules.may_review(run, closed, ann, policy, people))
    assert "was approved before" in refused(rules.may_review(run, None, ann, policy, people))
