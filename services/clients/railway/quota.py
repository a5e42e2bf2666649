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
    """The limit that the headers report; None when they do not report it."""
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


class Purpose(IntEnum):
    """What a read is for, the least urgent first: the more urgent, the longer it may still use the rate limit.

    ANSWER: a person's question. PLAN: a change that a person asks for. WATCH: the bot's own alerts. CHANGE: a run,
    with its read-backs. EMERGENCY: a break-glass run, which is tried even while Railway refuses reads.
    """

    ANSWER = 0
    PLAN = 1
    WATCH = 2
    CHANGE = 3
    EMERGENCY = 4


@dataclass(frozen=True)
class Reader:
    """`person`: the user id that a request counts for; None: the bot itself."""

    purpose: Purpose = Purpose.WATCH
    person: str | None = None


_READER: ContextVar[Reader] = ContextVar("reader", default=Reader())  # noqa: B039 - frozen


def current_reader() -> Reader:
    """For whom this task reads."""
    return _READER.get()


@contextlib.contextmanager
def reading_for(purpose: Purpose, person: str | None = None) -> Iterator[None]:
    """What is read within this, in tasks begun within it too, is for this purpose."""
    token = _READER.set(Reader(purpose, person))
    try:
        yield
    finally:
        _READER.reset(token)


@contextlib.contextmanager
def at_least(purpose: Purpose) -> Iterator[None]:
    """What is read within this is at least as urgent as `purpose`, and for the same person."""
    reader = current_reader()
    with reading_for(max(purpose, reader.purpose), reader.person):
        yield


ASSUMED_LIMIT = 1000  # requests an hour, Railway's Hobby plan: until the first answer says it
REPORT_VALID_FOR = timedelta(minutes=1)  # after so long a figure without a reset time is asked for again
_HOUR_S = 3600.0
FLOORS = MappingProxyType({Purpose.ANSWER: 0.4, Purpose.PLAN: 0.25, Purpose.WATCH: 0.15})  # the last: for changes only


@dataclass(frozen=True)
class Shares:
    """Parts of the limit, each 0..1.

    floors: how much is left untouched by a purpose; what is not named may use all. person: how much one person may
    cause per hour; the first of it at once.
    """

    floors: Mapping[Purpose, float] = field(default_factory=lambda: FLOORS)
    person: float = 0.2


@dataclass
class _Bucket:
    left: float
    at: datetime


class Quota:
    """Counts what each person caused, and what is under way; what is left is known from Railway's last answer."""

    def __init__(self, shares: Shares | None = None) -> None:
        self._shares = shares or Shares()
        self._reported: RateLimit | None = None
        self._reported_at: datetime | None = None
        self._under_way = 0
        self._people: dict[tuple[Purpose, str], _Bucket] = {}

    def begin(self, reader: Reader, now: datetime) -> str | None:
        """Count a request that is about to leave. A text: it may not, and why; nothing was counted then."""
        why = self._why_kept(reader.purpose, now) or self._take_share(reader, now)
        if why is None:
            self._under_way += 1
        return why

    def end(self, reported: RateLimit | None, now: datetime) -> None:
        """The request that `begin` counted is over, and what its answer says of the limit."""
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
        """What this person has left, filled up for the time that passed. Full ones are forgotten: they say nothing."""
        for bucket in self._people.values():
            bucket.left = min(bucket.left + (now - bucket.at).total_seconds() * share / _HOUR_S, share)
            bucket.at = now
        self._people = {key: bucket for key, bucket in self._people.items() if bucket.left < share}
        return self._people.setdefault(key, _Bucket(share, now))

    def _current(self, now: datetime) -> RateLimit | None:
        """None when the figure is of a window that is over, or too old to be believed."""
        if self._reported is None or self._reported_at is None:
            return None
        ends_at = self._reported.reset_at or self._reported_at + REPORT_VALID_FOR
        return self._reported if now < ends_at else None
