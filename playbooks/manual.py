"""How a step is done without the bot, in the words of the operated system: its tables and its API differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from playbooks.steps import Step
from services.domain.systems import System

# Of our own system -> of this one, in this order.
_WORDS: Mapping[str, Sequence[tuple[str, str]]] = {
    "civil": (
        ("git_sha, ", ""),  # no heartbeat has a commit
        ("last_heartbeat_at", "last_seen_at"),
        ("locked_by", "worker_id"),
        ("ops.requeue_jobs(", "chatops.requeue_jobs("),
        ("/api/health | jq .git_sha", "/health"),
    ),
}


def by_hand(step: Step, system: System) -> str | None:
    """SQL, a call of the API, or where in Railway; None where the step's description is enough."""
    how = step.by_hand()
    for ours, theirs in _WORDS.get(system.name, ()):
        how = how.replace(ours, theirs) if how else how
    return how
