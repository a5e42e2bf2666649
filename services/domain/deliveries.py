"""Requests that Slack delivered to a replica, and the replica's progress with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class DeliveryState:
    """The state of another replica's delivery: finished, or claimed for `busy_for_s` seconds more."""

    finished: bool
    busy_for_s: float


@dataclass(frozen=True)
class Asked:
    """A person's request. user: a Slack id. words: masked, plain text. shown_by: the command that shows the effect, for
    a request that leaves no trace of its delivery."""

    user: str
    words: str
    shown_by: str | None = None


@dataclass(frozen=True)
class Interrupted:
    """A request that a replica began and did not finish. run_id: the run that it requested. is_written: True if it was
    carried out, for a request that records its delivery. The rest as in `Asked`."""

    user_id: str
    words: str
    shown_by: str | None
    asked_at: datetime
    run_id: int | None
    is_written: bool
