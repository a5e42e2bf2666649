"""Shares Railway's rate limit: a reserve for changes, a floor for alerts, a share per person."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from types import MappingProxyType

from services.domain.text import counted

# Railway sets Retry-After on every 429; this is for a 429 from a proxy.
DEFAULT_RETRY_AFTER_S = 60.0
_EPOCH_FROM = 1_000_000_000  # numbers from here on are seconds since 1970, smaller ones seconds from now


@dataclass(frozen=True)
class RateLimit:
    """Railway's rate limit as last reported. Its window differs by plan and in Railway's documents, so none is assumed.

    `reset_at` is None if the header was missing or not understood.
    """

    limit: int
    remaining: int
    reset_at: datetime | None = None


def parse_rate_limit(headers: Mapping[str, str], now: datetime) -> RateLimit | None:
    """The rate limit in the headers; None if they do not report it."""
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
    """The reset time in an undocumented format: seconds since 1970, seconds from now or ISO 8601."""
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


class Purpose(IntEnum):
    """The purpose of a read, the least urgent first: the more urgent, the more of the rate limit it may use.

    ANSWER: a person's question. PLAN: a change that a person requests. WATCH: the bot's own alerts. CHANGE: a run, with
    its read-backs. EMERGENCY: a break-glass run, which is tried even while Railway refuses reads.
    """

    ANSWER = 0
    PLAN = 1
    WATCH = 2
    CHANGE = 3
    EMERGENCY = 4


@dataclass(frozen=True)
class Reader:
    """The origin of a request. `person`: the user id that it counts for; None: the bot itself."""

    purpose: Purpose = Purpose.WATCH
    person: str | None = None


_READER: ContextVar[Reader] = ContextVar("reader", default=Reader())  # noqa: B039 - frozen


def current_reader() -> Reader:
    """The reader for which this task reads."""
    return _READER.get()


@contextlib.contextmanager
def reading_for(purpose: Purpose, person: str | None = None) -> Iterator[None]:
    """Make all reads in this block, and in tasks started in it, count for this purpose and person."""
    token = _READER.set(Reader(purpose, person))
    try:
        yield
    finally:
        _READER.reset(token)


@contextlib.contextmanager
def at_least(purpose: Purpose) -> Iterator[None]:
    """Make all reads in this block at least as urgent as `purpose`, for the same person."""
    reader = current_reader()
    with reading_for(max(purpose, reader.purpose), reader.person):
        yield


ASSUMED_LIMIT = 1000  # requests per hour, as in Railway's Hobby plan; until the first answer reports the limit
REPORT_VALID_FOR = timedelta(minutes=1)  # the age at which a figure without a reset time is no longer used
_HOUR_S = 3600.0
FLOORS = MappingProxyType({Purpose.ANSWER: 0.4, Purpose.PLAN: 0.25, Purpose.WATCH: 0.15})  # below 0.15: only changes


@dataclass(frozen=True)
class Shares:
    """Parts of the rate limit, each 0..1.

    floors: the part that a purpose leaves unused; purposes without a floor may use all. person: the part that one
    person may use per hour; a whole hour's part is available at once.
    """

    floors: Mapping[Purpose, float] = field(default_factory=lambda: FLOORS)
    person: float = 0.2


@dataclass
class _Bucket:
    left: float
    at: datetime


class Quota:
    """Counts each person's requests and those in progress; Railway's last answer shows what is left of the limit."""

    def __init__(self, shares: Shares | None = None) -> None:
        self._shares = shares or Shares()
        self._reported: RateLimit | None = None
        self._reported_at: datetime | None = None
        self._under_way = 0
        self._people: dict[tuple[Purpose, str], _Bucket] = {}

    def begin(self, reader: Reader, now: datetime) -> str | None:
        """Count a request that is about to be sent. Returns None, or why it may not be sent and was not counted."""
        why = self._why_kept(reader.purpose, now) or self._take_share(reader, now)
        if why is None:
            self._under_way += 1
        return why

    def end(self, reported: RateLimit | None, now: datetime) -> None:
        """Count the end of a request that `begin` counted. `reported`: the rate limit in its answer."""
        self._under_way -= 1
        if reported is not None:
            self._reported, self._reported_at = reported, now

    def _why_kept(self, purpose: Purpose, now: datetime) -> str | None:
        reported = self._current(now)
        floor = self._shares.floors.get(purpose, 0.0)
        if reported is None or not floor or reported.remaining - self._under_way > floor * reported.limit:
            return None
        until = f" until {reported.reset_at:%H:%M} UTC" if reported.reset_at else ""
        left = counted(max(reported.remaining - self._under_way, 0), "request")
        return f"not asked: {left} of {reported.limit} are left{until}, kept for more urgent reads and changes"

    def _take_share(self, reader: Reader, now: datetime) -> str | None:
        if reader.person is None or reader.purpose > Purpose.PLAN:
            return None
        share = self._shares.person * (self._reported.limit if self._reported else ASSUMED_LIMIT)
        bucket = self._bucket((reader.purpose, reader.person), share, now)
        if bucket.left >= 1.0:
            bucket.left -= 1.0
            return None
        wait_s = (1.0 - bucket.left) * _HOUR_S / share
        return f"not asked: you used your share of its rate limit ({share:.0f} per hour); ask again in {wait_s:.0f} s"

    def _bucket(self, key: tuple[Purpose, str], share: float, now: datetime) -> _Bucket:
        """The person's remaining share, refilled for the time that has passed. Full buckets are dropped."""
        for bucket in self._people.values():
            bucket.left = min(bucket.left + (now - bucket.at).total_seconds() * share / _HOUR_S, share)
            bucket.at = now
        self._people = {key: bucket for key, bucket in self._people.items() if bucket.left < share}
        return self._people.setdefault(key, _Bucket(share, now))

    def _current(self, now: datetime) -> RateLimit | None:
        """The last reported limit; None if its window is over, or it is too old to be used."""
        if self._reported is None or self._reported_at is None:
            return None
        ends_at = self._reported.reset_at or self._reported_at + REPORT_VALID_FOR
        return self._reported if now < ends_at else None
