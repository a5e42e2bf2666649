"""The names of operated services and workers, commit SHAs, and Supabase's dashboard pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, ValuesView
from contextlib import contextmanager
from typing import ClassVar, Self


class WorkerType(str):
    """A worker's type, as it writes it into `ops.worker_heartbeats.worker_type`."""

    __slots__ = ()

    INGEST: ClassVar[WorkerType]
    ENFORCEMENT: ClassVar[WorkerType]
    SIMPLICITY: ClassVar[WorkerType]

    @property
    def value(self) -> str:
        return str(self)


WorkerType.INGEST = WorkerType("ingest_processor")
WorkerType.ENFORCEMENT = WorkerType("enforcement_engine")
WorkerType.SIMPLICITY = WorkerType("simplicity_ingest_worker")


class Service(str):
    """A service by its full name, as runs, locks and audit rows store it. Two with the same name are the same object.

    `short` is what people type, `worker_type` what its heartbeats report; both are declared once (`declare`). A name
    that is not declared, such as one stored by a former release, has its last word as short name, and no worker type.
    """

    __slots__ = ("is_api", "short", "worker_type")

    short: str
    worker_type: WorkerType | None  # None for an API, which writes no heartbeats
    is_api: bool

    API: ClassVar[Service]
    INGEST: ClassVar[Service]
    ENFORCEMENT: ClassVar[Service]
    SIMPLICITY: ClassVar[Service]

    def __new__(cls, name: str) -> Self:
        """The service of that name."""
        known = _DECLARED.get(str(name))
        return known if isinstance(known, cls) else cls._make(name, name.rsplit("-", 1)[-1], None, is_api=False)

    @classmethod
    def _make(cls, name: str, short: str, worker_type: WorkerType | None, *, is_api: bool) -> Self:
        self = super().__new__(cls, name)
        self.short, self.worker_type, self.is_api = short, worker_type, is_api
        return self

    @classmethod
    def declare(cls, name: str, short: str, worker_type: WorkerType | None = None) -> Self:
        """Declare a service and return it. Raises ValueError if its short name or worker type was another one."""
        made = cls._make(name, short, worker_type, is_api=worker_type is None)
        known = _DECLARED.setdefault(name, made)
        if (known.short, known.worker_type) != (short, worker_type) or not isinstance(known, cls):
            raise ValueError(f"{name} is declared with another short name or worker type")
        return known

    @property
    def value(self) -> str:
        return str(self)

    def __reduce__(self) -> tuple[type[Service], tuple[str]]:
        return Service, (str(self),)


_DECLARED: dict[str, Service] = {}


@contextmanager
def declared_for_a_while() -> Iterator[None]:
    """Forget, at its end, every declaration made within it, also after an error."""
    known = dict(_DECLARED)
    try:
        yield
    finally:
        _DECLARED.clear()
        _DECLARED.update(known)


Service.API = Service.declare("dragonfly-api", "api")
Service.INGEST = Service.declare("dragonfly-worker-ingest", "ingest", WorkerType.INGEST)
Service.ENFORCEMENT = Service.declare("dragonfly-worker-enforcement", "enforcement", WorkerType.ENFORCEMENT)
Service.SIMPLICITY = Service.declare("dragonfly-worker-simplicity", "simplicity", WorkerType.SIMPLICITY)


# The services of all systems: a word that a person types may name any of them.
DECLARED: ValuesView[Service] = _DECLARED.values()
GROUPS = ("workers", "all")


def in_order(services: Iterable[Service]) -> tuple[Service, ...]:
    """The services in the order of their declaration, the API first; undeclared ones come last."""
    known = list(DECLARED)
    return tuple(sorted(services, key=lambda one: known.index(one) if one in known else len(known)))


def find_service(name: str) -> Service | None:
    """The service, of any system, with this full or short name, in any case; None if there is none."""
    wanted = name.strip().lower()
    return next((service for service in DECLARED if wanted in (service.value, service.short)), None)


WHOLE_SHA = 40  # characters
SHORT_LENGTH = 8  # characters, as in the runbook's banner and health answer

_SHA = re.compile(r"[0-9a-f]{7,40}\Z")  # 7: git's own default abbreviation; fewer characters match too easily


def is_sha(text: str) -> bool:
    """True if the text is a commit SHA of 7 to 40 lower-case hexadecimal characters."""
    return _SHA.match(text) is not None


def same_sha(one: str, other: str) -> bool:
    """True if both name the same commit: one is a prefix of the other. Never True for text that is no SHA."""
    one, other = one.lower(), other.lower()
    return is_sha(one) and is_sha(other) and (one.startswith(other) or other.startswith(one))


def short_sha(sha: str | None) -> str:
    """The first 8 characters, or "unknown"."""
    return sha[:SHORT_LENGTH] if sha else "unknown"


_HOST = re.compile(r"https://([a-z0-9]{1,40})\.supabase\.(?:co|in|net)/?\Z")
STATUS_PAGE = "https://status.supabase.com"
_DASHBOARD = "https://supabase.com/dashboard/project"


def project_ref(supabase_url: str | None) -> str | None:
    """The project's reference in `SUPABASE_URL`; None if the address is missing or isn't Supabase's."""
    match = _HOST.match(supabase_url or "")
    return match[1] if match else None


def log_links(ref: str) -> dict[str, str]:
    """`{label: address}` of the logs of the database and of the sign-in service."""
    return {
        "Database logs": f"{_DASHBOARD}/{ref}/logs/postgres-logs",
        "Auth logs": f"{_DASHBOARD}/{ref}/logs/auth-logs",
    }


def database_log_link(ref: str) -> dict[str, str]:
    """`{label: address}` of the database's log only."""
    return {label: url for label, url in log_links(ref).items() if label == "Database logs"}
