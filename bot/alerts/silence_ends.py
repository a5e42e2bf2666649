"""Decides which silences end or are about to, and what their owners read of it; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.alerts.state import EXPIRED, RESOLVED, Transition
from bot.alerts.suppression import EvaluationContext
from services.domain.alerts import Alert, AlertChange, AlertState, Silence
from services.domain.text import dated_time


@dataclass(frozen=True)
class Reminder:
    """It ends soon: `words` for its owner."""

    silence: Silence
    words: str


@dataclass(frozen=True)
class SilenceEnd:
    """It is over: how (`outcome`), and `words` for its owner."""

    silence: Silence
    outcome: str
    words: str


def end_silences(
    transitions: Sequence[Transition], alerts: Sequence[Alert], around: EvaluationContext
) -> list[Reminder | SilenceEnd]:
    """What becomes of each silence. `alerts`: as they were before the transitions.

    One that was made for what was open ends when the last of it is resolved; one made in advance lasts until its end.
    """
    found = (_end_one(silence, transitions, alerts, around) for silence in around.silences)
    return [one for one in found if one is not None]


def _end_one(
    silence: Silence, transitions: Sequence[Transition], alerts: Sequence[Alert], around: EvaluationContext
) -> Reminder | SilenceEnd | None:
    after = {alert.fingerprint: alert for alert in alerts} | {
        transition.alert.fingerprint: transition.alert for transition in transitions if transition.after is not None
    }
    covered = [alert for alert in after.values() if silence.covers(alert.fingerprint, alert.service)]
    still = [alert for alert in covered if alert.is_open and not _has_passed(alert, transitions)]
    name = f"the silence of `{silence.what}`"
    if silence.ends_at <= around.now:
        return SilenceEnd(silence, EXPIRED, f"{name} has ended. {_state(still)}")
    if _is_over(silence, transitions) and not still and not silence.in_advance:
        return SilenceEnd(silence, RESOLVED, f"{name} has ended early: the alerts it covered have cleared")
    left = silence.ends_at - around.now
    if silence.reminded_at is None and left <= timedelta(seconds=around.telling.remind_s):
        is_long = silence.ends_at - silence.created_at > timedelta(seconds=around.telling.remind_s)
        words = f"{name} ends at {dated_time(silence.ends_at, around.now)}. {_state(still)}"
        return Reminder(silence, words) if is_long else None
    return None


def _is_over(silence: Silence, transitions: Sequence[Transition]) -> bool:
    """Whether something that it covers has just ended."""
    return any(
        (transition.change is AlertChange.RESOLVED or transition.after is None)
        and silence.covers(transition.alert.fingerprint, transition.alert.service)
        for transition in transitions
    )


def _has_passed(alert: Alert, transitions: Sequence[Transition]) -> bool:
    return any(
        transition.after is None and transition.alert.fingerprint == alert.fingerprint for transition in transitions
    )


def _state(still: Sequence[Alert]) -> str:
    firing = [alert.title for alert in still if alert.state is AlertState.FIRING or alert.held]
    return f"Still firing: {'; '.join(firing[:3])}" if firing else "The alert resolved meanwhile, or never fired"
