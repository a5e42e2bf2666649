"""Durations in words, short enough for a phone."""

from __future__ import annotations

from datetime import timedelta

_STEPS = (("s", 1, 120), ("min", 60, 120 * 60), ("h", 3600, 48 * 3600), ("days", 86_400, None))


def in_words(duration: timedelta) -> str:
    """ "45 s", "6 min", "3 h", "2 days": one unit, rounded down; a negative duration is "0 s"."""
    seconds = max(int(duration.total_seconds()), 0)
    unit, size = next((unit, size) for unit, size, below in _STEPS if below is None or seconds < below)
    return f"{seconds // size} {unit}"
