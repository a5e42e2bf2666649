"""Starting a change alone when every approver stays silent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class LoneStart:
    """Of one request, filed inside an incident by somebody who may approve such changes. Times are the database's.

    called_at: when the approvers were called. open_at: from then on who asked may begin the countdown. offered_at:
    since when the button is there. starts_at: the end of the countdown; None while none runs, and `reason` with it.
    """

    run_id: int
    incident_id: int
    called_at: datetime
    open_at: datetime
    offered_at: datetime | None = None
    reason: str | None = None
    starts_at: datetime | None = None

    @property
    def due_at(self) -> datetime | None:
        """When something happens by itself: the countdown is over, or the button appears; None when nothing does."""
        return self.starts_at or (self.open_at if self.offered_at is None else None)
