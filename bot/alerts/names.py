"""The names of alerts as people type them: a rule ("backlog"), one of its subjects ("sha.ingest"), a service."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from bot.alerts.settings import Rules
from services.domain.alerts import is_meant
from services.domain.services import WORKERS, Service, find_service

_SERVICES = tuple(service.short for service in Service)
_WORKERS = tuple(service.short for service in WORKERS)

# The subjects of the rules that have several. A test compares them with what the rules say.
SUBJECTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "heartbeats": _WORKERS,
        "workers": _WORKERS,
        "restarts": _WORKERS,
        "crash_loop": _SERVICES,
        "visibility": ("schemas", "rows", "answers"),
        "deployments": _SERVICES,
        "sha": (*_SERVICES, "same"),
        "grants": (
            "grants",
            "functions",
            "policies",
            "rls",
            "definer",
            "public_schema",
            "defaults",
            "views",
            "roles",
            "logins",
            "audit",
        ),
        "locks": _SERVICES,
        "freezes": _SERVICES,
        "blindness": ("railway", "slack"),
    }
)

FINGERPRINTS = tuple(
    f"{rule}.{subject}" if subject else rule for rule in Rules.model_fields for subject in SUBJECTS.get(rule, ("",))
)


def find_what(word: str) -> str | None:
    """What a word means, in the form that `Silence.what` has; None for no name of an alert."""
    name = word.strip().lower().replace("-", "_")
    service = find_service(word)
    if service is not None:
        return service.short
    return name if name in FINGERPRINTS or name in Rules.model_fields else None


def nearest(word: str) -> str | None:
    """The name that was probably meant; None when there is none near."""
    names = [*_SERVICES, *Rules.model_fields, *FINGERPRINTS]
    meant = get_close_matches(word.strip().lower(), names, n=1, cutoff=0.6)
    return meant[0] if meant else None


def service_of(what: str) -> Service | None:
    """The service that is meant alone; None when it is about none, or about several."""
    return find_service(what.rsplit(".", maxsplit=1)[-1])


def covered(what: str) -> list[str]:
    """The fingerprints that are meant."""
    return [name for name in FINGERPRINTS if is_meant(what, name, service_of(name))]
