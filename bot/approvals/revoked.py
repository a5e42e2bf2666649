"""Checks before a scheduled run starts that its requester and approvers still have their rights.

Its approvals are days old; people and the policy may have changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.approvals.access import Allowed, able, judge, still_holds
from bot.approvals.rules import approvals_missing, target_of
from bot.config.policy import Policy, Right, Target
from bot.people import People
from bot.slack_directory import Groups
from services.clients.postgres import approvals
from services.clients.postgres.pool import Database
from services.domain.errors import SourceError, Unavailable
from services.domain.runs import Decision, Run
from services.domain.text import counted


async def why_revoked(run: Run, policy: Policy, groups: Groups, database: Database) -> str | None:
    """Return why the run may not start, as a clause; None if it may. Raises SourceError if that is unknown."""
    async with database.read() as conn:
        decisions = await approvals.list_decisions(conn, run.id)
        is_self_approved = await approvals.read_review(conn, run.id) is not None
    if is_self_approved:  # by a former release, which allowed it for scheduled runs; the person does not matter
        return "it was self-approved, and the emergency may be over"
    people = await groups.people()
    people_of_run = (run.requested_by, *(decision.person for decision in decisions))
    acted = [person for person in people_of_run if person is not None and not person.is_machine]
    for person in acted:
        people = await groups.people(person.user_id)
    target = target_of(run, at=run.start_at)
    unread = able(Right.REQUEST, target, policy, people).unread | able(Right.APPROVE, target, policy, people).unread
    # They were looked up days ago, when they acted: an account deactivated since must not count as active.
    unread_accounts = [one for one in acted if isinstance(people.account(one.user_id), Unavailable)]
    if people.workspace is None or unread or unread_accounts:
        raise SourceError("Slack", "who may request and approve it is unknown", retryable=True)
    return _lost_by_requester(run, target, policy, people) or _lost_by_approvers(run, decisions, policy, people)


def _lost_by_requester(run: Run, target: Target, policy: Policy, people: People) -> str | None:
    person = run.requested_by
    if person is None:
        return None  # requested from a terminal: its approvers are responsible
    if person.is_machine:
        holds = isinstance(judge(Right.REQUEST, person, target, policy, people), Allowed)
    else:
        holds = still_holds(Right.REQUEST, person, target, policy, people)
    return None if holds else "the requester no longer has the right to request it"


def _lost_by_approvers(run: Run, decisions: Sequence[Decision], policy: Policy, people: People) -> str | None:
    missing = approvals_missing(run, decisions, policy, people)
    if missing == 0:
        return None
    verb = "is" if missing == 1 else "are"
    return f"{counted(missing, 'approval')} {verb} missing, because the approver no longer has that right"
