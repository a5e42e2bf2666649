"""Decides when a drill is over, and its outcome; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.domain.alerts import Drill

PATIENCE = timedelta(minutes=5)  # for an answer; the first level's own is about as long
DETECTED_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True)
class PagedTarget:
    """One person or target that was paged. `at`: when the page arrived; None: not, or not yet, and `why` if known."""

    who: str
    by: str
    at: datetime | None
    why: str | None = None


@dataclass(frozen=True)
class Course:
    """How far a drill has come by `now`, the database's clock like all of them.

    detected_at: the alert fired. held: why it is not announced. told_at: the message was in Slack. answered_at:
    it was acknowledged, by `answered_by` (a Slack user id). is_resolved: its incident was resolved.
    """

    now: datetime
    drill: Drill
    detected_at: datetime | None = None
    held: str = ""
    told_at: datetime | None = None
    pages: Sequence[PagedTarget] = ()
    answered_at: datetime | None = None
    answered_by: str | None = None
    is_resolved: bool = False


def outcome(course: Course) -> str | None:
    """Why the drill ends now; None while it continues."""
    late = course.now - course.drill.stale_at
    if course.answered_at is not None:
        return "answered"
    if course.is_resolved:
        return "resolved without an acknowledgement"
    if course.detected_at is None and late > DETECTED_WITHIN:
        return f"no one was notified: {course.held}" if course.held else "not detected"
    return f"no acknowledgement within {PATIENCE.seconds // 60} minutes" if late > PATIENCE else None


def report(course: Course, ended: str) -> dict[str, Any]:
    """What is kept of it: seconds from the moment at which the beat went stale, and who was not reached."""
    return {
        "outcome": ended,
        "detected_after_s": _after(course, course.detected_at),
        "told_after_s": _after(course, course.told_at),
        "calls": [
            {"whom": page.who, "by": page.by, "after_s": _after(course, page.at), "why_not": _why_not(course, page)}
            for page in course.pages
        ],
        "answered_after_s": _after(course, course.answered_at),
        "answered_by": course.answered_by,
        "not_reached": [f"{page.who} by {page.by}" for page in course.pages if _is_missed(course, page)],
    }


def _after(course: Course, at: datetime | None) -> float | None:
    """Slack's clock and the database's may differ by a little: never less than nothing."""
    return None if at is None else round(max((at - course.drill.stale_at).total_seconds(), 0.0), 2)


def _is_missed(course: Course, page: PagedTarget) -> bool:
    """A target that an answer came before was no longer paged, and that is as it should be."""
    return page.at is None and (page.why is not None or course.answered_at is None)


def _why_not(course: Course, page: PagedTarget) -> str | None:
    if page.at is not None:
        return None
    return page.why or ("no delivery report yet" if course.answered_at is None else "acknowledged earlier")
