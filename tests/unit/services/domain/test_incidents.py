"""The incident to which work on some services belongs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.domain.incidents import IncidentState, find_covering
from services.domain.services import Service
from tests.incidents import new_incident

NOW = datetime(2026, 1, 1, tzinfo=UTC)
INCIDENT = replace(new_incident(1, at=NOW), environment="staging")


@pytest.mark.parametrize(
    ("services", "work", "belongs"),
    [
        ([Service.INGEST], [Service.INGEST], True),
        ([Service.INGEST], [Service.API], False),
        ([Service.INGEST], [Service.INGEST, Service.API], False),
        ([Service.INGEST, Service.API], [Service.API], True),
        ([], [Service.API], True),
    ],
)
def test_work_belongs_to_an_incident_that_is_about_all_its_services(
    services: list[Service], work: list[Service], *, belongs: bool
) -> None:
    incident = replace(INCIDENT, services=tuple(services))

    assert incident.covers(work) is belongs


def test_of_several_the_oldest_counts() -> None:
    newer = replace(INCIDENT, id=2, opened_at=NOW + timedelta(minutes=1))

    assert find_covering([newer, INCIDENT], [Service.INGEST]) == INCIDENT


def test_a_resolved_incident_covers_nothing() -> None:
    ended = replace(INCIDENT, state=IncidentState.RESOLVED)

    assert find_covering([ended], [Service.INGEST]) is None
