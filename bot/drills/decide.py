"""Decides when a drill is over, and its outcome; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.domain.alerts import Drill

PATIENCE = timedelta(minutes=5)  # for an acknowledgement; about as long as the first level has
DETECTED_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True)
class PagedTarget:
    """One person or target that was paged. `at`: when the page arrived; None: not or not yet, with `why` if known."""

    who: str
    by: str
    at: datetime | None
    why: str | None = None


@dataclass(frozen=True)
class Course:
    """The progress of a drill at `now`. Times are by the database's clock, those of messages by Slack's.

    detected_at: when the alert fired. held: why it is not announced. told_at: when the message was in Slack.
    answered_at: when it was acknowledged, by `answered_by` (a Slack user id). is_resolved: its incident was resolved.
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
    """Return why the drill ends now; None while it continues."""
    late = course.now - course.drill.stale_at
    if course.answered_at is not None:
        return "answered"
    if course.is_resolved:
        return "resolved without an acknowledgement"
    if course.detected_at is None and late > DETECTED_WITHIN:
        return f"no one was notified: {course.held}" if course.held else "not detected"
    return f"no acknowledgement within {PATIENCE.seconds // 60} minutes" if late > PATIENCE else None


def report(course: Course, ended: str) -> dict[str, Any]:
    """Return the stored report: seconds since the heartbeat went stale, and who was not reached."""
    return {
        "outcome": ended,
        "detected_after_s": _seconds_after(course, course.detected_at),
        "told_after_s": _seconds_after(course, course.told_at),
        "calls": [
            {
                "whom": page.who,
                "by": page.by,
                "after_s": _seconds_after(course, page.at),
                "why_not": _why_not(course, page),
            }
            for page in course.pages
        ],
        "answered_after_s": _seconds_after(course, course.answered_at),
        "answered_by": course.answered_by,
        "not_reached": [f"{page.who} by {page.by}" for page in course.pages if _is_missed(course, page)],
    }


def _seconds_after(course: Course, at: datetime | None) -> float | None:
    """Seconds since the heartbeat went stale, at least 0: Slack's clock and the database's may differ a little."""
    return None if at is None else round(max((at - course.drill.stale_at).total_seconds(), 0.0), 2)


def _is_missed(course: Course, page: PagedTarget) -> bool:
    """True if the page did not arrive, unless an acknowledgement came first: then it was rightly not paged any more."""
    return page.at is None and (page.why is not None or course.answered_at is None)


def _why_not(course: Course, page: PagedTarget) -> str | None:
    if page.at is not None:
        return None
    return page.why or ("no delivery report yet" if course.answered_at is None else "acknowledged earlier")
