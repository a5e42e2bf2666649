"""Decides which silences end or are about to, and writes the notices for their owners; pure."""

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
    """A silence that ends soon, with the `words` for its owner."""

    silence: Silence
    words: str


@dataclass(frozen=True)
class SilenceEnd:
    """A silence that is over. `outcome`: RESOLVED or EXPIRED; `words`: for its owner."""

    silence: Silence
    outcome: str
    words: str


def end_silences(
    transitions: Sequence[Transition], alerts: Sequence[Alert], around: EvaluationContext
) -> list[Reminder | SilenceEnd]:
    """Return the silences that end now, and the reminders of those that end soon. `alerts`: before the transitions.

    A silence for open alerts ends when the last of them resolves; one made in advance lasts until its end.
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
    """True if an alert that it covers has just ended."""
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
