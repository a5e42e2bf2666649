"""Small words that every part says in the same way: ages and counts."""

from __future__ import annotations

from datetime import timedelta


def age(span: timedelta) -> str:
    """A span in its largest fitting unit, rounded down: "45 s", "6 min", "3 h", "2 d". Never negative."""
    seconds = max(int(span.total_seconds()), 0)
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 2 * 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86_400} d"


def counted(number: int, noun: str) -> str:
    """ "1 job", "2 jobs": the regular plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
