"""Manual instructions for a step without the bot, in the operated system's terms: its tables and its API differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from playbooks.steps import Step
from services.domain.systems import System

# Words of our own system -> words of this one, replaced in this order.
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
    """SQL, an API call, or a place in Railway; None if the step's description is enough."""
    how = step.by_hand()
    for ours, theirs in _WORDS.get(system.name, ()):
        how = how.replace(ours, theirs) if how else how
    return how
