"""A new incident, whose fields a test can change."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from services.domain.incidents import Incident, IncidentSeverity, IncidentState
from services.domain.services import Service


def new_incident(id: int, *, at: datetime, **changes: Any) -> Incident:  # noqa: A002
    """Make an incident opened at `at`, about the ingest worker, without pages."""
    incident = Incident(
        id=id,
        state=IncidentState.OPEN,
        environment="prod",
        severity=IncidentSeverity.SEV1,
        title="No ingest",
        services=(Service.INGEST.value,),
        opened_by=None,
        since=at,
        opened_at=at,
        chain={},
        pages=0,
        next_level=0,
        due_at=None,
        acknowledged_by=None,
        acknowledged_at=None,
        first_acknowledged_at=None,
        active_at=at,
        reminded_at=None,
        cleared_at=None,
        briefed=0,
        resolved_by=None,
        resolved_at=None,
        cause=None,
    )
    return replace(incident, **changes)
