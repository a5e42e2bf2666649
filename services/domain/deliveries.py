"""What Slack delivered: who asked for what, and which replica works on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class DeliveryState:
    """Another replica's delivery: finished, or claimed for `busy_for_s` seconds more."""

    finished: bool
    busy_for_s: float


@dataclass(frozen=True)
class Asked:
    """What a person asked for. user: a Slack id. words: masked, plain text. shown_by: the command that shows the effect
    of what leaves no trace of its delivery."""

    user: str
    words: str
    shown_by: str | None = None


@dataclass(frozen=True)
class Interrupted:
    """What a replica began and did not end. run_id: the run that it filed. is_written: whether it was carried out, of
    what writes its delivery down. The rest as in `Asked`."""

    user_id: str
    words: str
    shown_by: str | None
    asked_at: datetime
    run_id: int | None
    is_written: bool
