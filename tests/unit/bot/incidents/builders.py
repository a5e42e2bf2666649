"""Builders of incidents and alerts, which take only the fields that a test is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.domain.channels import Channel
from services.domain.escalation_chain import Chain, ChainLevel, Target, encode_chain
from services.domain.incidents import Incident, IncidentState, JoinedAlert
from services.domain.people import Person
from tests.incidents import new_incident

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANN, BEN = Person("U0ANN", "T1"), Person("U0BEN", "T1")
FIVE, TEN = timedelta(minutes=5), timedelta(minutes=10)
CHAIN = Chain(
    (
        ChainLevel("primary", (Target(Channel.MENTION, "U0ANN", "ann"), Target(Channel.DIRECT, "U0ANN", "ann")), FIVE),
        ChainLevel("secondary", (Target(Channel.MENTION, "U0BEN", "ben"), Target(Channel.WEBHOOK, "ben", "ben")), TEN),
    )
)
OPEN = replace(new_incident(7, at=NOW), since=NOW - FIVE, chain=encode_chain(CHAIN), pages=1, next_level=1, due_at=NOW)
LINE = "PAGE prod · ingest is down (0 of 2), last 6 min ago · 318 waiting"


def incident(**changes: Any) -> Incident:
    """An open incident whose next page is due now."""
    return replace(OPEN, **changes)


def acknowledged(**changes: Any) -> Incident:
    """An incident that Ann acknowledged, whose reminder is due now."""
    taken = {"state": IncidentState.ACKNOWLEDGED, "acknowledged_by": ANN, "acknowledged_at": NOW}
    return replace(OPEN, **{**taken, "first_acknowledged_at": NOW + FIVE, **changes})


def resolved(**changes: Any) -> Incident:
    ended = {"state": IncidentState.RESOLVED, "resolved_by": BEN, "resolved_at": NOW + TEN, "cause": "a bad deploy"}
    return replace(OPEN, **{**ended, "due_at": None, **changes})


def alert(number: int = 1, **changes: Any) -> JoinedAlert:
    """An alert that fires."""
    return replace(JoinedAlert(number, 7, "heartbeats.ingest", LINE, NOW - FIVE, NOW, None), **changes)
