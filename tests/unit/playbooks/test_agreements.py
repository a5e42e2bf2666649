"""What playbooks take for granted of the processes, which they must not import."""

from __future__ import annotations

from playbooks._states import STOP_GRACE_S
from services.api.settings import ApiSettings
from services.domain.services import SESSIONS_PER_REPLICA, Service
from services.job_queue.settings import WorkerSettings

HEART_AND_DOORBELL = 2
HEALTH_PROBE = 1


def default(settings: type[ApiSettings] | type[WorkerSettings], name: str) -> float:
    return float(settings.model_fields[name].default)


def test_a_worker_takes_as_long_to_end_as_the_warning_says() -> None:
    assert default(WorkerSettings, "stop_grace_s") == STOP_GRACE_S


def test_a_replica_holds_as_many_sessions_as_a_plan_counts() -> None:
    worker = default(WorkerSettings, "pool_size") + HEART_AND_DOORBELL

    assert worker == SESSIONS_PER_REPLICA[Service.INGEST] == SESSIONS_PER_REPLICA[Service.ENFORCEMENT]
    assert default(ApiSettings, "pool_size") + HEALTH_PROBE == SESSIONS_PER_REPLICA[Service.API]
