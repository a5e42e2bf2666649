"""What Railway's rate-limit headers say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# Railway sets Retry-After on every 429; this is only for an answer from something in between.
DEFAULT_RETRY_AFTER_S = 60.0
_EPOCH_FROM = 1_000_000_000  # numbers from here on are a moment, smaller ones a number of seconds from now


@dataclass(frozen=True)
class RateLimit:
    """As last seen. The window differs by plan and by Railway's own documents, so nothing is assumed about it.

    `reset_at` is None when the header was missing or not understood.
    """

    limit: int
    remaining: int
    reset_at: datetime | None = None


def parse_rate_limit(headers: Mapping[str, str], now: datetime) -> RateLimit | None:
    """The limit that the headers tell; None when they do not tell it."""
    try:
        limit, remaining = int(headers["x-ratelimit-limit"]), int(headers["x-ratelimit-remaining"])
    except (KeyError, ValueError):
        return None
    return RateLimit(limit, remaining, _parse_reset(headers.get("x-ratelimit-reset", ""), now))


def parse_retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait after a 429: at least 1, whatever the header says."""
    try:
        return max(float(int(headers["retry-after"])), 1.0)
    except (KeyError, ValueError):
        return DEFAULT_RETRY_AFTER_S


def _parse_reset(text: str, now: datetime) -> datetime | None:
    """The format is not documented: seconds since 1970, seconds from now, and ISO 8601 are all understood."""
    try:
        number = float(text)
    except ValueError:
        return _parse_moment(text)
    try:
        return datetime.fromtimestamp(number, UTC) if number >= _EPOCH_FROM else now + timedelta(seconds=number)
    except (OverflowError, ValueError, OSError):
        return None


def _parse_moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
