"""What a run needs next, and what it comes to; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from bot.views.steps import step_words
from playbooks._contract import NoPlan, Plan
from playbooks._steps import Step, encode_step
from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.runs import RunState, RunStep, StepState
from services.domain.services import Service
from services.domain.sha import short_sha
from services.domain.words import counted

_FINE = (StepState.DONE, StepState.NOT_PROVED)
_HOUR_S = 3600
_OUR_SHARE = 0.25  # of Railway's rate limit, which people and other tools need too (DESIGN §8)
_SLOWEST_S = 30.0


def next_move(steps: Sequence[RunStep], *, cancel: bool) -> RunStep | RunState:
    """The step to carry out or to take over, or the state in which the run ends here."""
    row = next((step for step in steps if step.state not in _FINE), None)
    if row is None:
        return RunState.SUCCEEDED
    match row.state:
        case StepState.FAILED:
            return RunState.FAILED
        case StepState.UNKNOWN:
            return RunState.UNKNOWN
        case StepState.SKIPPED:
            return RunState.CANCELLED
        case StepState.PENDING if cancel:
            return RunState.CANCELLED
        case _:
            return row


def outcome_words(state: RunState, steps: Sequence[RunStep], *, cancelled_by: str | None, standing: str) -> str:
    """How a run ended, in one paragraph of plain words."""
    done = sum(step.state in _FINE for step in steps)
    row = next((step for step in steps if step.state not in _FINE), None)
    where = f"step {row.position + 1} of {len(steps)}" if row else ""
    why = (row.note if row else None) or "no reason was written down"
    match state:
        case RunState.SUCCEEDED:
            missing = [step.note or f"step {step.position + 1}" for step in steps if step.state is StepState.NOT_PROVED]
            return f"Done, but not proved: {'; '.join(missing)}." if missing else "Done, and every step is proved."
        case RunState.CANCELLED:
            return (
                f"Cancelled by {cancelled_by or 'somebody'} after {done} of {counted(len(steps), 'step')}. {standing}"
            )
        case RunState.UNKNOWN:
            return f"Nobody can tell what became of {where}: {why}. {standing} A person decides how it goes on."
        case _:
            return f"Stopped at {where}: {why}. {standing}"


def standing_words(services: Sequence[Service], states: Mapping[Service, ServiceState] | Unavailable) -> str:
    """ "ingest runs 2 of 3 replicas of c45e17a9." — how the system was left."""
    if isinstance(states, Unavailable):
        return f"How the services stand cannot be read ({states.source}: {states.why})."
    known = [_standing(states[service]) for service in services if service in states]
    return f"{'; '.join(known)}." if known else ""


def _standing(state: ServiceState) -> str:
    current = state.current
    running = current.running_instances if current else 0
    wanted = "an unknown number of" if state.replicas_configured is None else str(state.replicas_configured)
    if state.is_stopped:
        return f"{state.service.short} is stopped"
    sha = short_sha(current.commit_sha if current else None)
    return f"{state.service.short} runs {running} of {wanted} replicas of {sha}"


def difference(approved: Plan, now: Plan | NoPlan) -> str | None:
    """What is not any more as it was approved; None when nothing is, or nobody can tell."""
    if isinstance(now, NoPlan):
        return None if now.is_unseen else now.why
    if approved.hash == now.hash:
        return None
    for before, after in zip_longest(approved.steps, now.steps):
        if before != after:
            return _step_difference(before, after)
    return "its parameters or its environment changed"


def _step_difference(before: Step | None, after: Step | None) -> str:
    """In words; by its fields when the words are the same, because they leave out the deployment, say."""
    was, is_now = (step_words(step) if step else "nothing" for step in (before, after))
    if was != is_now or before is None or after is None:
        return f"approved was “{was}”, now it would be “{is_now}”"
    old, new = encode_step(before), encode_step(after)
    changed = (name for name in old if old[name] != new[name])
    told = ", ".join(f"{name.rstrip('_').replace('_', ' ')} {old[name]} → {new[name]}" for name in changed)
    return f"“{was}” rests on something else now: {told}"


def poll_every(wanted_s: float, limit_per_hour: int | None) -> float:
    """Seconds between two looks that keep us below our share of Railway's rate limit."""
    if not limit_per_hour:
        return wanted_s
    return min(max(wanted_s, _HOUR_S / (limit_per_hour * _OUR_SHARE)), max(_SLOWEST_S, wanted_s))
