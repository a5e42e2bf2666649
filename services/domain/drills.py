"""Rehearsals of the way from a worker that falls silent to a person who answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.domain.heartbeats import Heartbeat
from services.domain.runs import Person
from services.domain.services import WorkerType

RULE = "drill"  # of its alert; no real one is called so
MARK = "DRILL"  # stands in every title and line of a drill


@dataclass(frozen=True)
class Drill:
    """A made-up worker whose last beat counts until `stale_at`. `report`: what came of it; None: it is under way."""

    id: int
    asked_by: Person
    asked_at: datetime
    beat_at: datetime
    stale_at: datetime
    ended_at: datetime | None
    report: Mapping[str, Any] | None

    @property
    def fingerprint(self) -> str:
        """Of its alert: each drill has one of its own."""
        return f"{RULE}.{self.id}"

    @property
    def beat(self) -> Heartbeat:
        """The last sign of the made-up worker."""
        return Heartbeat(f"drill-{self.id}", WorkerType.INGEST, "running", self.beat_at)


@dataclass(frozen=True)
class DrillTraces:
    """What a drill has left behind so far. `held`: why its alert is told to nobody; empty when nothing holds it."""

    alert_id: int
    fired_at: datetime | None
    held: str
    message_key: str | None
    message_ts: str | None
    incident_id: int | None


def is_drill(fingerprint: str) -> bool:
    """Whether an alert of this fingerprint is a drill's."""
    return fingerprint.startswith(f"{RULE}.")
