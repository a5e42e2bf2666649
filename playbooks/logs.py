"""Read the newest lines of a service's log, of the right deployment (runbook, "Log Analysis")

When:   something is wrong; "80% of issues visible in logs".
Effect: none, it only reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from playbooks.checks import logs
from playbooks.model import Finding, NextStep
from services.domain.deployments import Deployment, LogLine, ServiceState


@dataclass(frozen=True)
class Choice:
    """The deployment to read, and a description of it ("running", "the last that failed", …)."""

    deployment: Deployment
    which: str


def check(facts: logs.Facts) -> list[Finding]:
    """The findings of `checks.logs`; a next step to this command becomes one to the deployments."""
    here, short = f"logs {facts.service.short}", facts.service.short
    onward = NextStep(f"Deployments of {short}", f"deployments {short}")
    return [
        replace(finding, next_step=onward) if finding.next_step and finding.next_step.command == here else finding
        for finding in logs.check(facts)
    ]


def choose(state: ServiceState | None, deployments: Sequence[Deployment], *, failed: bool) -> Choice | None:
    """The serving deployment, else the newest; with `failed` the newest failed one. None if there is none.

    `deployments` come newest first.
    """
    if failed:
        broken = next((one for one in deployments if one.status.is_failed), None)
        return Choice(broken, "the last that failed") if broken else None
    serving = state.serving if state else None
    if serving is not None:
        return Choice(serving, "running")
    newest = next(iter(deployments), None)
    return Choice(newest, "the newest, nothing runs") if newest else None


def line_key(line: LogLine) -> str:
    """A short name of one line of a deployment, which finds the line again without repeating it."""
    written = f"{line.timestamp.isoformat()}\n{line.replica_id}\n{line.message}"
    return hashlib.sha256(written.encode("utf-8", "replace")).hexdigest()[:12]
