"""Decides a run's next action, and finds how its plan differs from the approved one; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from playbooks.change_parts import fall_back, find_started
from playbooks.model import NoPlan, Risk
from playbooks.plan import Plan
from playbooks.schema_gate import find_unknown
from playbooks.steps import Step
from playbooks.stored_steps import decode_step, encode_step
from services.domain.runs import RunState, RunStep, StepState

_FINE = (StepState.DONE, StepState.NOT_PROVED)
_OPEN = (StepState.PENDING, StepState.INTENDED, StepState.RUNNING)
_HOUR_S = 3600
_OUR_SHARE = 0.25  # of Railway's rate limit, which people and other tools share
_SLOWEST_S = 30.0
_LOOKS_SOON_FROM = 600  # requests an hour


@dataclass(frozen=True)
class FallBack:
    """A step failed without a change: the remaining steps are skipped, and these are added to the journal instead."""

    steps: tuple[Step, ...]


def next_action(steps: Sequence[RunStep], *, planned: int, cancel: bool) -> RunStep | RunState | FallBack:
    """Return the step to execute or take over, the fallback to add, or the state in which the run ends.

    `planned`: how many steps the plan has; later ones were added by a fallback, and such a run has failed.
    """
    instead = steps[planned:]
    if instead:
        action = _next_action(instead, cancel=cancel)
        return RunState.FAILED if action is RunState.SUCCEEDED else action
    action = _next_action(steps, cancel=cancel)
    if action is not RunState.FAILED or cancel:
        return action
    failed = next(n for n, step in enumerate(steps) if step.state is StepState.FAILED)
    added = fall_back([decode_step(step.step) for step in steps], failed)
    return FallBack(added) if added else action


def has_acted(steps: Sequence[RunStep]) -> bool:
    """True if a step may have changed something already: then the run goes on, and freezes no longer hold it back."""
    return any(step.intent is not None and decode_step(step.step).acts for step in steps)


def difference(approved: Plan, now: Plan | NoPlan) -> str | None:
    """Return how the plan differs from the approved one; None if it does not, or if that is unknown."""
    if isinstance(now, NoPlan):
        return None if now.is_unknown else now.why
    if approved.hash == now.hash:
        return _risk_difference(approved, now) or _start_difference(approved, now)
    for before, after in zip_longest(approved.steps, now.steps):
        if before != after:
            return _step_difference(before, after)
    return "its parameters or its environment changed"


def _risk_difference(approved: Plan, now: Plan) -> str | None:
    """Difference in risk: the same steps may have become critical, as when a migration came that destroys something.
    They then need other approvals."""
    if now.risk is Risk.CRITICAL and approved.risk is not Risk.CRITICAL:
        return f"it became critical: {'; '.join(now.warnings)}"
    return None


def _start_difference(approved: Plan, now: Plan) -> str | None:
    """Difference in started services: the same steps may now start one that was stopped since, by a person or for a
    reason that still holds."""
    known = find_started(approved.warnings)
    return "; ".join(line for line in find_started(now.warnings) if line not in known) or None


def find_doubt(approved: Plan, now: Plan | NoPlan) -> str | None:
    """Return what is unknown about the plan now, but was known at its approval; None if both can be compared."""
    if isinstance(now, NoPlan):
        return now.why if now.is_unknown else None
    unknown_before = find_unknown(approved.warnings)
    return next((line for about, line in find_unknown(now.warnings).items() if about not in unknown_before), None)


def poll_every(wanted_s: float, limit_per_hour: int | None, *, elapsed_s: float) -> float:
    """Seconds until the next check of a step that began `elapsed_s` ago.

    Checks stay below our share of Railway's rate limit. Most steps end within seconds, so the first checks come sooner,
    at most 6 more per step, if that is 1% of the limit or less.
    """
    if not limit_per_hour:
        return wanted_s
    lasting_s = min(max(wanted_s, _HOUR_S / (limit_per_hour * _OUR_SHARE)), max(_SLOWEST_S, wanted_s))
    has_stepped_back = elapsed_s < -wanted_s  # the clock, since the step began
    if limit_per_hour < _LOOKS_SOON_FROM or has_stepped_back:
        return lasting_s
    return min(lasting_s, max(wanted_s, elapsed_s / 2))


def _next_action(steps: Sequence[RunStep], *, cancel: bool) -> RunStep | RunState:
    """Before the run fails or is cancelled, remove the data that it added. An unknown step waits for a person first."""
    action = _next_in_order(steps, cancel=cancel)
    if action not in (RunState.FAILED, RunState.CANCELLED):
        return action
    return next((step for step in steps if step.state in _OPEN and decode_step(step.step).cleans_up), action)


def _next_in_order(steps: Sequence[RunStep], *, cancel: bool) -> RunStep | RunState:
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


def _step_difference(before: Step | None, after: Step | None) -> str:
    """Describe the difference; by field if the descriptions are equal, as they leave out the deployment, say."""
    was, is_now = (step.describe() if step else "nothing" for step in (before, after))
    if was != is_now or before is None or after is None:
        return f"approved: “{was}”, now: “{is_now}”"
    old, new = encode_step(before), encode_step(after)
    changed = (name for name in old if old[name] != new[name])
    difference_words = ", ".join(f"{name.rstrip('_').replace('_', ' ')} {old[name]} → {new[name]}" for name in changed)
    return f"“{was}” would do something else now: {difference_words}"
