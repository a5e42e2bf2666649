"""Finds the causes of findings, in the database and in the services, and folds the other findings. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from playbooks.database_causes import (
    find_database,
    find_migrations,
    find_no_access,
    find_permissions,
    find_refused_writes,
)
from playbooks.model import Finding, NextStep, Status
from playbooks.root_causes import Cause, Diagnosed, Found, Kind, fold
from playbooks.service_causes import find_api, find_deploys, find_railway, find_workers
from services.domain.services import Service
from services.domain.systems import System

_FINDERS: Sequence[Callable[[Found], Iterator[Cause]]] = (
    find_database,
    find_refused_writes,
    find_migrations,
    find_permissions,
    find_no_access,
    find_deploys,
    find_workers,
    find_api,
    find_railway,
)


def diagnose(
    findings: Sequence[Finding],
    now: datetime,
    *,
    database_since: datetime | None = None,
    same_again: frozenset[str] = frozenset(),
    working: Mapping[Service, int] = MappingProxyType({}),
    system: System,
) -> Diagnosed:
    """The causes among the findings, each with the findings that follow from it; the most urgent cause first.

    `working`: the run of ours that acts on a service now.
    """
    found = Found(findings, now, database_since, same_again, system)
    return fold(findings, [_excused(cause, working) for find in _FINDERS for cause in find(found)])


def _excused(cause: Cause, working: Mapping[Service, int]) -> Cause:
    """Lower a missing process, a silent API or an unfinished deployment to a warning while a run stops or starts the
    service: no other action is needed."""
    run = working.get(cause.service) if cause.service else None
    if cause.service is None or run is None or cause.kind not in (Kind.WORKER, Kind.API, Kind.DEPLOY):
        return cause
    finding = replace(
        cause.finding,
        status=Status.WARN,
        title=f"Run {run} acts on {cause.service.short}: {cause.finding.title}",
        detail="Wait until the run ends.",
        next_step=NextStep(f"Run {run}", f"run {run}"),
    )
    return replace(cause, finding=finding)
