"""A run that waits for its approval, whose fields a test can change."""

from __future__ import annotations

from datetime import datetime, timedelta

from playbooks.plan import Plan, encode_plan
from services.domain.people import Person
from services.domain.runs import Run, RunState
from services.domain.services import Service


def new_run(at: datetime, **more: object) -> Run:
    """Make a rollback of the API that Olivia requested at `at`, with 15 min to be approved."""
    fields: dict[str, object] = {
        "id": 12,
        "state": RunState.AWAITING_APPROVAL,
        "environment": "prod",
        "playbook": "rollback",
        "parameters": {"service": "api", "to": "8d02b64e"},
        "plan": {},
        "plan_hash": "ab" * 32,
        "risk": "high",
        "title": "Roll back api: c45e17a9 → 8d02b64e",
        "services": (Service.API.value,),
        "requested_by": Person("U0OLIVIA001", "T1"),
        "reason": "",
        "channel": "C1",
        "approvals_needed": 1,
        "kinds": (),
        "format": 1,
        "created_at": at,
        "expires_at": at + timedelta(minutes=15),
        "approved_at": None,
        "started_at": None,
        "ended_at": None,
        "cancel_requested_by": None,
        "outcome": None,
    }
    return Run(**(fields | more))  # type: ignore[arg-type]


def run_of(plan: Plan, at: datetime, **more: object) -> Run:
    """Make such a run for this plan."""
    fields: dict[str, object] = {
        "environment": plan.environment,
        "playbook": plan.playbook,
        "parameters": plan.parameters,
        "plan": encode_plan(plan),
        "plan_hash": plan.hash,
        "risk": plan.risk.value,
        "title": plan.title,
        "services": tuple(sorted(service.value for service in plan.services)),
    }
    return new_run(at, **(fields | more))
