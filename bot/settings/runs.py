"""How patiently runs are carried out, in seconds. Short in tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class RunSettings:
    """Leases are short between acts, so that a successor is there soon, and longer than a call while one is out.

    A successor goes on at most `lease_s + look_every_s` after a replica died between acts, and at most
    `act_lease_s + look_every_s` after it died during one: 4 s and 13 s, below the 5 s and 15 s that we promise.
    """

    lease_s: float = 3.0
    renew_every_s: float = 1.0
    act_lease_s: float = 12.0  # outlives a call by the time it takes to get it on its way
    call_timeout_s: float = 8.0  # RailwayClient's own
    look_every_s: float = 1.0  # for runs that nobody carries
    look_when_quiet_s: float = 30.0  # while no run is open and notices arrive
    poll_every_s: float = 2.0  # of a step that waits; a share of Railway's rate limit is kept for runs
    patience_s: float = 60.0  # for a source that a step cannot do without, and for a Railway that refuses for now
    settle_s: float = 12.0  # until "it is not there" is believed: a new deployment appears late
    confirm_s: float = 60.0  # until something has to follow Railway's yes
    sends: int = 3  # at most, and only after reading back that nothing happened
    hand_over_s: float = 10.0  # for the act under way when this replica shuts down

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
