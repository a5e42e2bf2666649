"""Is a rollback what helps? Only after a deploy; otherwise the targets are shown, and none is recommended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from playbooks._candidates import Candidate, Past, deployed_at
from playbooks._contract import NextStep
from services.domain.deployments import DeploymentStatus
from services.domain.errors import Unavailable
from services.domain.heartbeats import BEAT_EVERY, Heartbeat
from services.domain.sha import same_sha
from services.domain.words import age

LATELY = timedelta(hours=2)  # what broke something is rarely older
WORKED_AFTER = 2 * BEAT_EVERY  # a process that died later did not die of its start


@dataclass(frozen=True)
class Offer:
    """`candidates`: best first, the first one recommended unless there is a `doubt`. `instead`: what helps sooner."""

    candidates: tuple[Candidate, ...]
    doubt: str | None = None
    instead: NextStep | None = None


def advise(
    scope: str, pasts: Sequence[Past], ranked: Sequence[Candidate], beats: Sequence[Heartbeat] | Unavailable
) -> Offer:
    """`ranked`: as `rank` gives them, of these services. `beats`: the workers' rows of the last day."""
    doubt, instead = _doubt(scope, pasts, beats)
    if doubt is None and ranked and ranked[0].can_roll_back and ranked[0].is_successful and not ranked[0].is_newer:
        return Offer((replace(ranked[0], recommended=True), *ranked[1:]))
    return Offer(tuple(ranked), doubt, instead)


def _doubt(
    scope: str, pasts: Sequence[Past], beats: Sequence[Heartbeat] | Unavailable
) -> tuple[str | None, NextStep | None]:
    if any(isinstance(past.outcomes, Unavailable) for past in pasts):
        return "The database does not answer: a rollback does not mend that", NextStep("Health", "health")
    moments = [moment for past in pasts if (moment := deployed_at(past)) is not None]
    if not any(past.now - moment <= LATELY for past in pasts for moment in moments):
        return f"No deploy of {scope} lately: a rollback is unlikely to help", None
    for past in pasts:
        ran = None if isinstance(beats, Unavailable) else _worked_for(past, beats)
        if ran is not None:
            short = past.service.short
            words = f"A process of {short} died after it had worked for {age(ran)}: restart it first"
            return words, NextStep(f"Restart {short}", f"restart {short}")
    return None, None


def _worked_for(past: Past, beats: Sequence[Heartbeat]) -> timedelta | None:
    """How long the workers of what runs now had beaten, when one has died and none was started anew: a crash loop after
    a deploy starts them again and again. None when that is not so."""
    current = past.current
    is_down = current.status is DeploymentStatus.CRASHED or any(one.status == "CRASHED" for one in current.instances)
    if not is_down or past.service.worker_type is None or current.commit_sha is None:
        return None
    own = [
        beat
        for beat in beats
        if beat.worker_type == past.service.worker_type
        and same_sha(beat.git_sha or "", current.commit_sha)
        and beat.started_at is not None
        and beat.started_at >= current.created_at
    ]
    if not own or len(own) > max(past.found.state.replicas_configured or 1, 1):
        return None
    ran = max(beat.last_heartbeat_at - beat.started_at for beat in own if beat.started_at is not None)
    return ran if ran >= WORKED_AFTER else None
