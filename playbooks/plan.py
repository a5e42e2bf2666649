"""A plan: the steps of a change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playbooks.steps import Step
from playbooks.stored_steps import FORMAT, decode_step, encode_step
from services.domain.services import Service
from services.domain.status import Risk


@dataclass(frozen=True)
class Plan:
    """A change as data: shown as a dry run, hashed for the approval, journaled, executed, undone.

    The hash covers `environment`, `playbook`, `parameters` and `steps`; the rest is shown and stored, never hashed, so
    that a harmless change voids nothing. Plain text; views escape it.

    title: what will happen, from → to ("Roll back api: c45e17a9 → 8d02b64e"). impact: blast radius in numbers ("stops 2
    workers holding 7 jobs, oldest 4 min; 318 pending"), one line each. warnings: what the approvers should know; a fact
    that is not available is one of them. undo: the command that takes it back ("rollback api to c45e17a9"), several
    with "; " between; None: there is none.
    """

    environment: str
    playbook: str
    parameters: Mapping[str, str]
    steps: tuple[Step, ...]
    risk: Risk
    title: str
    impact: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    undo: str | None = None

    @property
    def services(self) -> frozenset[Service]:
        """The services that the steps touch, which the run locks while it runs."""
        return frozenset(service for step in self.steps for service in step.touches)

    @property
    def hash(self) -> str:
        """SHA-256 of the approved parts, as 64 hexadecimal characters."""
        approved = {
            "format": FORMAT,
            "environment": self.environment,
            "playbook": self.playbook,
            "parameters": dict(self.parameters),
            "steps": [encode_step(step) for step in self.steps],
        }
        return hashlib.sha256(json.dumps(approved, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def encode_plan(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values, with its format number."""
    shown = {name: getattr(plan, name) for name in ("environment", "playbook", "title", "impact", "warnings", "undo")}
    return {
        "format": FORMAT,
        **shown,
        "parameters": dict(plan.parameters),
        "risk": plan.risk.value,
        "steps": [encode_step(step) for step in plan.steps],
    }


def decode_plan(stored: Mapping[str, Any]) -> Plan:
    """The inverse of `encode_plan`. Raises ValueError for a format or step that this version does not know."""
    if stored.get("format") != FORMAT:
        raise ValueError(f"unknown format {stored.get('format')!r} of a plan")
    return Plan(
        environment=stored["environment"],
        playbook=stored["playbook"],
        parameters=stored["parameters"],
        steps=tuple(decode_step(step) for step in stored["steps"]),
        risk=Risk(stored["risk"]),
        title=stored["title"],
        impact=tuple(stored["impact"]),
        warnings=tuple(stored["warnings"]),
        undo=stored["undo"],
    )
