"""Resource use of services, as Railway's metrics report it. Unknown is None or absent, never 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

GONE_AFTER = timedelta(minutes=3)  # without a sample; Railway has one every 30 s, and the bot reads them as often


@dataclass(frozen=True)
class Usage:
    """The resource use of a service (of its busiest instance, if several are known): GB, and vCPU. `received_gb`,
    `sent_gb`: over the network, in 1 minute."""

    memory_gb: float | None = None
    memory_limit_gb: float | None = None
    cpu: float | None = None
    cpu_limit: float | None = None
    disk_gb: float | None = None
    received_gb: float | None = None
    sent_gb: float | None = None


@dataclass(frozen=True)
class Sample:
    """A memory value in GB at one moment."""

    at: datetime
    value: float


@dataclass(frozen=True)
class InstanceUsage:
    """The resource use of one instance; `instance_id` is "" if Railway does not separate instances. `memory`: oldest
    first, GB.

    `received_gb`, `sent_gb`: over the network, in the last minute. `seen_at`: the time of its newest sample of any
    kind; None: that of `memory`.
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
        """True if it still runs, as far as its samples show."""
        seen_at = self.seen_at or (self.memory[-1].at if self.memory else None)
        return seen_at is not None and now - seen_at <= GONE_AFTER

    @property
    def memory_gb(self) -> float | None:
        """The newest value; None if there is none."""
        return self.memory[-1].value if self.memory else None

    @property
    def memory_share(self) -> float | None:
        """Memory as a share of its limit, 0 to 1; None if either is unknown."""
        if self.memory_gb is None or not self.memory_limit_gb:
            return None
        return self.memory_gb / self.memory_limit_gb


@dataclass(frozen=True)
class ServiceUsage:
    """All instances of one service that have metrics, including those that stopped up to 1 hour ago."""

    instances: Sequence[InstanceUsage]

    def current(self, now: datetime) -> ServiceUsage:
        """The same without instances that have stopped."""
        return ServiceUsage([one for one in self.instances if one.is_current(now)])

    @property
    def busiest(self) -> Usage:
        """The highest value of each figure over the instances."""
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
