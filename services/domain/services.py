"""The three services of the runbook ("Service Overview") and the short names people type."""

from __future__ import annotations

from enum import StrEnum


class WorkerType(StrEnum):
    """What a worker writes into `ops.worker_heartbeats.worker_type`."""

    INGEST = "ingest_processor"
    ENFORCEMENT = "enforcement_engine"

    @property
    def service(self) -> Service:
        """The Railway service that runs this worker."""
        return Service.INGEST if self is WorkerType.INGEST else Service.ENFORCEMENT


class Service(StrEnum):
    """A Railway service, by its full name."""

    API = "dragonfly-api"
    INGEST = "dragonfly-worker-ingest"
    ENFORCEMENT = "dragonfly-worker-enforcement"

    @property
    def short(self) -> str:
        """What people type: `api`, `ingest`, `enforcement`."""
        return self.value.rsplit("-", 1)[-1]

    @property
    def worker_type(self) -> WorkerType | None:
        """None for the API, which does not beat."""
        if self is Service.API:
            return None
        return WorkerType.INGEST if self is Service.INGEST else WorkerType.ENFORCEMENT


WORKERS = (Service.INGEST, Service.ENFORCEMENT)


def find_service(name: str) -> Service | None:
    """The service meant by a full or a short name, whatever its case; None when there is none."""
    wanted = name.strip().lower()
    return next((service for service in Service if wanted in (service.value, service.short)), None)


def find_services(name: str) -> tuple[Service, ...] | None:
    """The services meant by a name, by `workers` or by `all`, workers first; None when there are none."""
    if name.strip().lower() in ("workers", "all"):
        return WORKERS if name.strip().lower() == "workers" else (*WORKERS, Service.API)
    service = find_service(name)
    return None if service is None else (service,)
