"""What waits for one person: incidents that page them, runs to be decided on or reviewed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.approvals.decide import is_requester, target_of
from bot.approvals.policy import Policy, Right
from bot.approvals.rights import Allowed, judge
from bot.approvals.steer import may_review
from bot.facts.journal import read_open_reviews, read_open_runs
from bot.incidents.assignments import Assignment, assignments_of
from services.domain.errors import Unavailable
from services.domain.incidents import Incident
from services.domain.reviews import Review
from services.domain.runs import UNDECIDED, Person, Run, RunState

if TYPE_CHECKING:
    from bot.approvals.desk import Desk
    from bot.approvals.people import People
    from bot.commands._contract import Actor
    from bot.facts import World


async def list_waiting(actor: Actor | None, world: World, desk: Desk | None) -> Sequence[Run] | Unavailable:
    """What this person could confirm, approve or resolve; everything that waits when nobody knows who asks."""
    found = await read_open_runs(world)
    if isinstance(found, Unavailable):
        return found
    waiting = [run for run in found if run.state in {*UNDECIDED, RunState.UNKNOWN}]
    if actor is None or desk is None or not isinstance(desk.policy, Policy) or not waiting:
        return waiting
    people, person = await desk.people(actor.user_id), Person(actor.user_id, actor.team_id)
    return [run for run in waiting if _waits_for(run, person, desk.policy, people)]


async def list_assignments(
    actor: Actor | None, incidents: Sequence[Incident] | Unavailable, desk: Desk | None
) -> Sequence[Assignment]:
    """What unresolved incidents ask of this person; nothing when nobody knows who asks."""
    if actor is None or isinstance(incidents, Unavailable) or not incidents:
        return ()
    groups = (await desk.people(actor.user_id)).groups_of(actor.user_id) if desk is not None else ()
    return assignments_of(actor.user_id, groups, incidents)


async def list_reviews(
    actor: Actor | None, world: World, desk: Desk | None
) -> Sequence[tuple[Review, Run]] | Unavailable:
    """What this person could review; everything that waits to be when nobody knows who asks."""
    found = await read_open_reviews(world)
    if isinstance(found, Unavailable) or actor is None or desk is None or not isinstance(desk.policy, Policy):
        return found
    people, person = await desk.people(actor.user_id), Person(actor.user_id, actor.team_id)
    policy = desk.policy
    return [one for one in found if isinstance(may_review(one[1], one[0], person, policy, people), Allowed)]


def _waits_for(run: Run, person: Person, policy: Policy, people: People) -> bool:
    if is_requester(run, person) and run.state is not RunState.AWAITING_APPROVAL:
        return True
    return (
        run.state is not RunState.PLANNED
        and not is_requester(run, person)
        and isinstance(judge(Right.APPROVE, person, target_of(run), policy, people), Allowed)
    )
