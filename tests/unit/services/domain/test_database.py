"""The database sessions of a replica: computed from its variables; unreadable ones are unknown, not the default."""

from __future__ import annotations

import pytest

from services.domain.database import Defaults, sessions_per_replica
from services.domain.errors import Unavailable
from services.domain.services import Service
from services.domain.systems import CIVIL, RUNBOOK, System


def sessions_of(system: System, service: Service) -> Defaults | None:
    return next(one.sessions for one in system.operated if one.service is service)


@pytest.mark.parametrize(
    ("service", "variables", "expected"),
    [
        (Service.INGEST, {}, 4),
        (Service.INGEST, {"CONCURRENCY": ""}, 4),
        (Service.ENFORCEMENT, {}, 5),
        (Service.INGEST, {"CONCURRENCY": "8"}, 11),
        (Service.INGEST, {"concurrency": "8"}, 11),
        (Service.ENFORCEMENT, {"POOL_SIZE": "20", "CONCURRENCY": "8"}, 22),
        (Service.API, {}, 6),
        (Service.API, {"POOL_SIZE": "10", "CONCURRENCY": "50"}, 11),
    ],
)
def test_counts_what_the_process_will_open(service: Service, variables: dict[str, str], expected: int) -> None:
    assert sessions_per_replica(sessions_of(RUNBOOK, service), variables) == expected


def test_sessions_are_unknown_where_the_system_does_not_report_them() -> None:
    assert isinstance(sessions_per_replica(sessions_of(CIVIL, Service.SIMPLICITY), {"POOL_SIZE": "3"}), Unavailable)


@pytest.mark.parametrize("value", ["many", "0", "-1", "1.5", "${{shared.CONCURRENCY}}"])
def test_sessions_per_replica_is_unknown_when_concurrency_is_no_count(value: str) -> None:
    found = sessions_per_replica(sessions_of(RUNBOOK, Service.INGEST), {"CONCURRENCY": value})

    assert found == Unavailable("Railway", "its CONCURRENCY is not a positive whole number")
