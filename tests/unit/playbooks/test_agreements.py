"""Facts about the processes that playbooks repeat, because they must not import them."""

from __future__ import annotations

import pytest

from playbooks.change_parts import STOP_GRACE_S
from services.api.settings import ApiSettings
from services.domain.database import sessions_per_replica
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from services.enforcement_worker.__main__ import EnforcementSettings
from services.job_queue.worker import WorkerSettings

DEFAULTS = {one.service: one.sessions for one in RUNBOOK.operated if one.sessions is not None}
HEARTBEAT_AND_LISTENER = 2
HEALTH_PROBE = 1


def default(settings: type[ApiSettings] | type[WorkerSettings], name: str) -> float:
    return float(settings.model_fields[name].default)


def test_a_worker_takes_as_long_to_end_as_the_warning_reports() -> None:
    assert default(WorkerSettings, "stop_grace_s") == STOP_GRACE_S


def test_a_replica_holds_as_many_sessions_as_a_plan_counts_for_it() -> None:
    assert DEFAULTS[Service.API].sessions == default(ApiSettings, "pool_size") + HEALTH_PROBE
    for service, settings in ((Service.INGEST, WorkerSettings), (Service.ENFORCEMENT, EnforcementSettings)):
        counted = DEFAULTS[service]
        assert (counted.pool_size, counted.concurrency) == (
            default(settings, "pool_size"),
            default(settings, "concurrency"),
        )


@pytest.mark.parametrize("service", RUNBOOK.workers)
@pytest.mark.parametrize(("pool_size", "concurrency"), [(2, 1), (2, 2), (2, 8), (8, 2), (3, 2)])
def test_a_worker_s_sessions_are_counted_as_it_makes_its_pool(
    service: Service, pool_size: int, concurrency: int
) -> None:
    variables = {"POOL_SIZE": str(pool_size), "CONCURRENCY": str(concurrency)}
    settings = WorkerSettings.model_construct(pool_size=pool_size, concurrency=concurrency)

    assert sessions_per_replica(DEFAULTS[service], variables) == settings.sessions + HEARTBEAT_AND_LISTENER
