"""Who may still use Railway's rate limit: a reserve for changes, a floor under the alerts, a share for each person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from services.domain.words import counted
from services.railway.rate_limit import RateLimit
from services.railway.reader import Purpose, Reader

ASSUMED_LIMIT = 1000  # requests an hour, Railway's Hobby plan: until the first answer tells
TOLD_FOR = timedelta(minutes=1)  # after so long a figure without a reset time is asked for anew
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
        self._told: RateLimit | None = None
        self._told_at: datetime | None = None
        self._under_way = 0
        self._people: dict[tuple[Purpose, str], _Bucket] = {}

    def begin(self, reader: Reader, now: datetime) -> str | None:
        """Count a request that is about to leave. A text: it may not, and why; nothing was counted then."""
        why = self._why_kept(reader.purpose, now) or self._take_share(reader, now)
        if why is None:
            self._under_way += 1
        return why

    def end(self, told: RateLimit | None, now: datetime) -> None:
        """The request that `begin` counted is over, and what its answer told of the limit."""
        self._under_way -= 1
        if told is not None:
            self._told, self._told_at = told, now

    def _why_kept(self, purpose: Purpose, now: datetime) -> str | None:
        told = self._told_now(now)
        floor = self._shares.floors.get(purpose, 0.0)
        if told is None or not floor or told.remaining - self._under_way > floor * told.limit:
            return None
        until = f" until {told.reset_at:%H:%M} UTC" if told.reset_at else ""
        left = counted(max(told.remaining - self._under_way, 0), "request")
        return f"not asked: {left} of {told.limit} are left{until}, kept for more urgent reads and changes"

    def _take_share(self, reader: Reader, now: datetime) -> str | None:
        if reader.person is None or reader.purpose > Purpose.PLAN:
            return None
        share = self._shares.person * (self._told.limit if self._told else ASSUMED_LIMIT)
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

    def _told_now(self, now: datetime) -> RateLimit | None:
        """None when the figure is of a window that is over, or too old to be believed."""
        if self._told is None or self._told_at is None:
            return None
        ends_at = self._told.reset_at or self._told_at + TOLD_FOR
        return self._told if now < ends_at else None
