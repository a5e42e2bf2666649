"""What to do first about an incident: back to the version before, or a restart; nothing where neither can help."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from playbooks._candidates import Candidate
from playbooks._contract import NextStep
from playbooks._root_causes import Diagnosed, Diagnosis, Kind
from services.domain.services import Service
from services.domain.sha import short_sha


def find_cause(diagnosed: Diagnosed, services: Collection[Service]) -> Diagnosis | None:
    """The most urgent cause of what happens to these services: everybody's or one of theirs, otherwise any."""
    fitting = [one for one in diagnosed.diagnoses if one.cause.service is None or one.cause.service in services]
    return fitting[0] if fitting else diagnosed.first


def choose_remedy(diagnosis: Diagnosis, candidates: Sequence[Candidate]) -> NextStep | None:
    """The button. `candidates`: where the cause's service could go back to, best first; empty while that is not known.

    A restart does not mend what was deployed, and a rollback brings no process back that was killed.
    """
    step, service = diagnosis.finding.next_step, diagnosis.cause.service
    if step is None or step.command is None:
        return None
    if diagnosis.cause.kind is Kind.DEPLOY and service is not None:
        if not candidates:
            return step
        sha = short_sha(candidates[0].sha)
        return NextStep(f"Roll back to {sha}", f"rollback {service.short} to {sha}")
    return step if step.command.startswith("restart ") else None
