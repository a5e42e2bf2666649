"""The three services of the runbook, commit SHAs, and Supabase's dashboard pages."""

from __future__ import annotations

import re
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


# `{process name: command}`: the Procfile, which a wheel does not carry; a test compares the two.
START_COMMANDS = {
    "api": "python -m services.api",
    "worker-ingest": "python -m services.ingest_worker",
    "worker-enforcement": "python -m services.enforcement_worker",
    "bot": "python -m bot",
}

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


SHORT_LENGTH = 8  # what the runbook's banner and health answer show

_SHA = re.compile(r"[0-9a-f]{7,40}\Z")  # 7: git's own default abbreviation; fewer characters match too easily


def is_sha(text: str) -> bool:
    """Whether the text is a commit SHA of 7 to 40 lower-case hexadecimal characters."""
    return _SHA.match(text) is not None


def same_sha(one: str, other: str) -> bool:
    """Whether the two name the same commit: one is a prefix of the other. Never true for text that is no SHA."""
    one, other = one.lower(), other.lower()
    return is_sha(one) and is_sha(other) and (one.startswith(other) or other.startswith(one))


def short_sha(sha: str | None) -> str:
    """The first 8 characters, or "unknown"."""
    return sha[:SHORT_LENGTH] if sha else "unknown"


_HOST = re.compile(r"https://([a-z0-9]{1,40})\.supabase\.(?:co|in|net)/?\Z")
STATUS_PAGE = "https://status.supabase.com"
_DASHBOARD = "https://supabase.com/dashboard/project"


def project_ref(supabase_url: str | None) -> str | None:
    """The project's reference in `SUPABASE_URL`; None when the address is missing or is none of Supabase's."""
    match = _HOST.match(supabase_url or "")
    return match[1] if match else None


def log_links(ref: str) -> dict[str, str]:
    """`{label: address}` of the logs of the database and of the sign-in service."""
    return {
        "Database logs": f"{_DASHBOARD}/{ref}/logs/postgres-logs",
        "Auth logs": f"{_DASHBOARD}/{ref}/logs/auth-logs",
    }


def database_log_link(ref: str) -> dict[str, str]:
    """Of `log_links`, that of the database alone."""
    return {label: url for label, url in log_links(ref).items() if label == "Database logs"}
