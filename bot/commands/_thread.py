"""Words typed in an incident's thread: its service is implied."""

from __future__ import annotations

from difflib import get_close_matches

from services.domain.incidents import Incident
from services.domain.services import Service, find_service, find_services

_NAMES = [service.short for service in Service] + [service.value for service in Service]


def with_service(words: tuple[str, ...], usage: str, incident: Incident | None) -> tuple[str, ...]:
    """The incident's service where a verb needs one and none is named; an incident of several implies none.

    A word that may be a mistyped service is left for the verb to complain about.
    """
    needs = usage.startswith(("<service>", "<service|"))
    if not needs or incident is None or len(incident.services) != 1 or (words and _may_be_service(words[0])):
        return words
    service = find_service(incident.services[0])
    return (service.short, *words) if service else words


def _may_be_service(word: str) -> bool:
    return find_services(word) is not None or bool(get_close_matches(word.lower(), _NAMES, n=1))
