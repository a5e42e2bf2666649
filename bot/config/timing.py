"""Leases, patience and intervals, in seconds. Short in tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class LeaseSettings:
    """How leadership moves: a lease lasts `duration`, is renewed every `renew_every`, and is asked for as often.

    A successor takes over at most `duration + renew_every` after a leader died: 13.5 s, below the 15 s we promise.
    A renewal that takes longer than `answer_within` (None: `renew_every`) has failed, and the database is away.
    """

    duration: timedelta = timedelta(seconds=10)
    renew_every: timedelta = timedelta(seconds=3.5)
    answer_within: timedelta | None = None  # with `renew_every` less than `duration`, or work outlives the lease


@dataclass(frozen=True)
class OutageSettings:
    """The last leader announces it after `announce_after_s`; if it did not, another replica within `others_after_s +
    spread_s`.

    The spread keeps two that know nothing of each other from looking, and posting, at the same moment.
    """

    announce_after_s: float = 60.0  # a database that is down for a minute is a page
    others_after_s: float = 90.0
    spread_s: float = 60.0
    check_every_s: float = 2.0
    look_back_s: float = 300.0  # a new leader looks for the message of a former one for so long,
    find_every_s: float = 60.0  # and so often


@dataclass(frozen=True)
class RunSettings:
    """Leases are short between acts, so that a successor is there soon, and longer than a call while one is out.

    A successor continues at most `lease_s + check_every_s` after a replica died between acts, and at most
    `act_lease_s + check_every_s` after it died during one: 4 s and 13 s, below the 5 s and 15 s that we promise.
    """

    lease_s: float = 3.0
    renew_every_s: float = 1.0
    act_lease_s: float = 12.0  # outlives a call by the time it takes to get it on its way
    call_timeout_s: float = 8.0  # RailwayClient's own
    check_every_s: float = 1.0  # for runs that no replica executes
    check_when_quiet_s: float = 30.0  # while no run is open and notices arrive
    poll_every_s: float = 2.0  # of a step that waits; a share of Railway's rate limit is kept for runs
    patience_s: float = 60.0  # for a source that a step cannot do without, and for a Railway that refuses for now
    settle_s: float = 12.0  # until "it is not there" is believed: a new deployment appears late
    confirm_s: float = 60.0  # until something has to follow Railway's yes
    sends: int = 3  # at most, and only after reading back that nothing happened
    hand_over_s: float = 10.0  # for the act under way when this replica shuts down
    # In one replica: each renews its lease over the same few sessions, and a service takes one run at a time, so that
    # more would only wait to be voided. A change that goes before others does not wait for room.
    runs_at_once: int = 12

    @property
    def longest_lease(self) -> timedelta:
        """No replica holds a run for longer without renewing its lease."""
        return timedelta(seconds=max(self.lease_s, self.act_lease_s))

    @property
    def settle_after_takeover_s(self) -> float:
        """Until "it is not there" is believed of what another replica sent: not before its lease would have ended.

        Whatever the database's clock did, its call has left by then or never does.
        """
        return max(self.settle_s, self.act_lease_s)


@dataclass(frozen=True)
class EvaluatorSettings:
    """A hint (Railway's webhook) does not wait for it."""

    railway_every_s: float = 20.0  # 180 per hour, less than a quarter of what the smallest paid plan allows
