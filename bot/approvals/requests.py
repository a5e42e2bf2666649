"""A plan as the request that is stored: what it needs, what the audit log keeps of it; pure."""

from __future__ import annotations

from bot.approvals import decide
from bot.approvals.policy import Policy
from bot.commands._contract import Actor
from playbooks._contract import Plan, encode_plan
from playbooks._encoding import FORMAT
from services.domain.runs import NewRun, Person

TERMINAL = "terminal"  # the audit log's word for a requester whom nobody knows


def new_run(
    plan: Plan, person: Person | None, policy: Policy, *, channel: str, reason: str, delivery: str | None
) -> NewRun:
    """The plan as a run that waits, or is approved already when it needs nobody. `person`: None on the terminal."""
    needs = decide.needs(plan.risk, has_requester=person is not None)
    return NewRun(
        environment=plan.environment,
        playbook=plan.playbook,
        parameters=plan.parameters,
        plan=encode_plan(plan),
        plan_hash=plan.hash,
        risk=plan.risk.value,
        title=plan.title,
        services=tuple(sorted(service.value for service in plan.services)),
        requested_by=person,
        reason=reason,
        channel=channel,
        approvals_needed=needs.approvals,
        expires_at_s=policy.expires_after.total_seconds(),
        state=needs.first_state,
        kinds=tuple(sorted({type(step).__name__ for step in plan.steps})),
        format=FORMAT,
        delivery=delivery,
    )


def audit_details(plan: Plan, person: Person | None, policy: Policy) -> dict[str, object]:
    """What the audit log keeps of a request."""
    return {
        "playbook": plan.playbook,
        "parameters": dict(plan.parameters),
        "environment": plan.environment,
        "risk": plan.risk.value,
        "title": plan.title,
        "plan": plan.hash,
        "policy": policy.hash,
        "team": person.team_id if person else None,
    }


def person_of(actor: Actor | None) -> Person | None:
    """None on the terminal, which knows nobody."""
    return Person(actor.user_id, actor.team_id) if actor else None


def name_of(person: Person | None) -> str:
    """Who it was, in the audit log's words."""
    return person.user_id if person else TERMINAL
