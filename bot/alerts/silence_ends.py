"""When a silence ends, and what its owner is told; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.alerts.decide import Move
from bot.alerts.holding import Circumstances
from services.domain.alerts import Alert, AlertChange, AlertState, Silence
from services.domain.words import dated_time

RESOLVED, EXPIRED = "resolved", "expired"


@dataclass(frozen=True)
class Reminder:
    """It ends soon: `words` for its owner."""

    silence: Silence
    words: str


@dataclass(frozen=True)
class Ending:
    """It is over: how (`outcome`), and `words` for its owner."""

    silence: Silence
    outcome: str
    words: str


def end_silences(moves: Sequence[Move], alerts: Sequence[Alert], around: Circumstances) -> list[Reminder | Ending]:
    """What becomes of each silence. `alerts`: as they were before the moves.

    One that was made for what was open ends when the last of it is resolved; one made in advance lasts until its end.
    """
    found = (_end_one(silence, moves, alerts, around) for silence in around.silences)
    return [one for one in found if one is not None]


def _end_one(
    silence: Silence, moves: Sequence[Move], alerts: Sequence[Alert], around: Circumstances
) -> Reminder | Ending | None:
    after = {alert.fingerprint: alert for alert in alerts} | {
        move.alert.fingerprint: move.alert for move in moves if move.after is not None
    }
    covered = [alert for alert in after.values() if silence.covers(alert.fingerprint, alert.service)]
    still = [alert for alert in covered if alert.is_open and not _has_passed(alert, moves)]
    name = f"the silence of `{silence.what}`"
    if silence.ends_at <= around.now:
        return Ending(silence, EXPIRED, f"{name} has ended. {_state(still)}")
    if _is_over(silence, moves) and not still and not silence.in_advance:
        return Ending(silence, RESOLVED, f"{name} has ended early: the alerts it covered are over")
    left = silence.ends_at - around.now
    if silence.reminded_at is None and left <= timedelta(seconds=around.telling.remind_s):
        is_long = silence.ends_at - silence.created_at > timedelta(seconds=around.telling.remind_s)
        words = f"{name} ends at {dated_time(silence.ends_at, around.now)}. {_state(still)}"
        return Reminder(silence, words) if is_long else None
    return None


def _is_over(silence: Silence, moves: Sequence[Move]) -> bool:
    """Whether something that it covers has just ended."""
    return any(
        (move.change is AlertChange.RESOLVED or move.after is None)
        and silence.covers(move.alert.fingerprint, move.alert.service)
        for move in moves
    )


def _has_passed(alert: Alert, moves: Sequence[Move]) -> bool:
    return any(move.after is None and move.alert.fingerprint == alert.fingerprint for move in moves)


def _state(still: Sequence[Alert]) -> str:
    firing = [alert.title for alert in still if alert.state is AlertState.FIRING or alert.held]
    return f"Still so: {'; '.join(firing[:3])}" if firing else "It resolved meanwhile, or never fired"
