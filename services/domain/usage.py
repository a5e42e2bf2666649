"""What services use, as Railway's metrics report it. Unknown is None or absent, never 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

GONE_AFTER = timedelta(minutes=3)  # without a sample; they come every 30 s, and are asked for as often


@dataclass(frozen=True)
class Usage:
    """What a service uses, its busiest instance where several are known: GB, and vCPU. `received_gb`, `sent_gb`: over
    the network, in one minute."""

    memory_gb: float | None = None
    memory_limit_gb: float | None = None
    cpu: float | None = None
    cpu_limit: float | None = None
    disk_gb: float | None = None
    received_gb: float | None = None
    sent_gb: float | None = None


@dataclass(frozen=True)
class Sample:
    """GB at one moment."""

    at: datetime
    value: float


@dataclass(frozen=True)
class InstanceUsage:
    """One instance; `instance_id` is "" where Railway does not separate instances. `memory`: oldest first, GB.

    `received_gb`, `sent_gb`: over the network, in the last minute. `seen_at`: of the newest sample of what it uses;
    None: of `memory`.
    """

    instance_id: str
    memory: Sequence[Sample] = ()
    memory_limit_gb: float | None = None
    cpu: float | None = None
    cpu_limit: float | None = None
    disk_gb: float | None = None
    received_gb: float | None = None
    sent_gb: float | None = None
    seen_at: datetime | None = None

    def is_current(self, now: datetime) -> bool:
        """Whether it still runs, as far as its samples show."""
        seen_at = self.seen_at or (self.memory[-1].at if self.memory else None)
        return seen_at is not None and now - seen_at <= GONE_AFTER

    @property
    def memory_gb(self) -> float | None:
        """The newest; None when there is none."""
        return self.memory[-1].value if self.memory else None

    @property
    def memory_share(self) -> float | None:
        """0 to 1 of its limit; None when either is unknown."""
        if self.memory_gb is None or not self.memory_limit_gb:
            return None
        return self.memory_gb / self.memory_limit_gb


@dataclass(frozen=True)
class ServiceUsage:
    """All instances of one service of which there are metrics, those that are gone for up to an hour too."""

    instances: Sequence[InstanceUsage]

    def current(self, now: datetime) -> ServiceUsage:
        """Without those that are gone."""
        return ServiceUsage([one for one in self.instances if one.is_current(now)])

    @property
    def busiest(self) -> Usage:
        """The highest of each figure over its instances."""
        return Usage(
            memory_gb=_highest([one.memory_gb for one in self.instances]),
            memory_limit_gb=_highest([one.memory_limit_gb for one in self.instances]),
            cpu=_highest([one.cpu for one in self.instances]),
            cpu_limit=_highest([one.cpu_limit for one in self.instances]),
            disk_gb=_highest([one.disk_gb for one in self.instances]),
            received_gb=_highest([one.received_gb for one in self.instances]),
            sent_gb=_highest([one.sent_gb for one in self.instances]),
        )


def _highest(values: Sequence[float | None]) -> float | None:
    return max([value for value in values if value is not None], default=None)
