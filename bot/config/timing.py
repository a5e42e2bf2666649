"""Leases, timeouts and intervals, in seconds. Tests use shorter ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class LeaseSettings:
    """The timing of leadership: a lease lasts `duration`, is renewed every `renew_every`, and other replicas request it
    as often.

    A successor takes over at most `duration + renew_every` after a leader died: 13.5 s, below the 15 s we promise. A
    renewal that takes longer than `answer_within` (None: `renew_every`) has failed, and the database counts as
    unavailable.
    """

    duration: timedelta = timedelta(seconds=10)
    renew_every: timedelta = timedelta(seconds=3.5)
    answer_within: timedelta | None = None  # with `renew_every` less than `duration`, else work would outlive the lease


@dataclass(frozen=True)
class OutageSettings:
    """The timing of a database outage's announcement: the last leader posts it after `announce_after_s`; if it did not,
    another replica within `others_after_s + spread_s`.

    The random spread keeps two replicas that can't coordinate from checking, and posting, at the same moment.
    """

    announce_after_s: float = 60.0  # a database that is down for a minute is a page
    others_after_s: float = 90.0
    spread_s: float = 60.0
    check_every_s: float = 2.0
    look_back_s: float = 300.0  # a new leader searches for the message of a former one for this long,
    find_every_s: float = 60.0  # and this often


@dataclass(frozen=True)
class RunSettings:
    """The timing of runs. Leases are short between acts, so that a successor soon takes over, and longer than a call
    during one.

    A successor continues at most `lease_s + check_every_s` after a replica died between acts, and at most `act_lease_s
    + check_every_s` after it died during one: 4 s and 13 s, below the 5 s and 15 s that we promise.
    """

    lease_s: float = 3.0
    renew_every_s: float = 1.0
    act_lease_s: float = 12.0  # outlives a call and the time until it is sent
    call_timeout_s: float = 8.0  # the same as RailwayClient's
    check_every_s: float = 1.0  # for runs that no replica executes
    check_when_quiet_s: float = 30.0  # while no run is open and notifications arrive
    poll_every_s: float = 2.0  # of a wait step; a share of Railway's rate limit is reserved for runs
    patience_s: float = 60.0  # waits for a source that a step needs, and for Railway while it refuses temporarily
    settle_s: float = 12.0  # until a missing deployment counts as not created: a new one appears late
    confirm_s: float = 60.0  # until an act that Railway accepted has to take effect
    sends: int = 3  # at most, and only after reading back that nothing happened
    hand_over_s: float = 10.0  # for the act in progress when this replica shuts down
    # Per replica: each run renews its lease over the same few sessions, and a service takes one run at a time, so
    # more runs would only wait to be voided. A change that pre-empts others ignores this limit.
    runs_at_once: int = 12

    @property
    def longest_lease(self) -> timedelta:
        """The longest time that a replica holds a run without renewing its lease."""
        return timedelta(seconds=max(self.lease_s, self.act_lease_s))

    @property
    def settle_after_takeover_s(self) -> float:
        """Seconds until an act that another replica sent counts as not done: not before that replica's lease would have
        ended.

        Whatever happens to the database's clock, its call has left by then or never will.
        """
        return max(self.settle_s, self.act_lease_s)


@dataclass(frozen=True)
class EvaluatorSettings:
    """The interval at which the evaluator reads Railway. A wake-up (Railway's webhook) does not wait for it."""

    railway_every_s: float = 20.0  # 180 per hour, less than a quarter of what the smallest paid plan allows
