"""Checks that a service's variables, Railway's environment and the start command agree.

Values are compared and never shown.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from playbooks.checks.variables import read_shape
from playbooks.model import Finding, Status
from services.domain.environments import NAMES, find_environment
from services.domain.errors import Unavailable
from services.domain.secrets import Secret
from services.domain.services import Service

_PROJECT_VARIABLES = ("SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_DB_URL")


@dataclass(frozen=True)
class Facts:
    """`bot_environment`: the bot's environment, None if not set. `start_command`: Railway's, None for its default.

    `right_commands`: any of them is right; the first is the Procfile's.
    """

    service: Service
    variables: Mapping[str, Secret]
    now: datetime
    railway_environment: str | Unavailable
    bot_environment: str | None
    start_command: str | Unavailable | None
    right_commands: Sequence[str]


def check(facts: Facts) -> list[Finding]:
    """Findings `env.<service>.{project,environment,start_command}`; `checks.variables` reports missing variables."""
    return [_check_projects(facts), _check_environments(facts), _check_start_command(facts)]


def _check_projects(facts: Facts) -> Finding:
    projects = dict(_projects(facts))
    name = f"env.{facts.service.short}.project"
    compared = {"compared": sorted(projects)}
    if len(set(projects.values())) > 1:
        title = "Supabase variables name different projects"
        return Finding(name, Status.FAIL, title, _disagreement(projects), facts.service, compared)
    if len(projects) < 2:
        title = "Supabase project not comparable"
        detail = "fewer than two variables name one" if projects else "no variable names one"
        status = Status.OK if _is_local(facts) else Status.UNKNOWN
        return Finding(name, status, title, detail, facts.service, compared)
    title = f"{_listed(sorted(projects))} name the same project"
    return Finding(name, Status.OK, title, "", facts.service, compared)


def _projects(facts: Facts) -> Iterator[tuple[str, str]]:
    for name in _PROJECT_VARIABLES:
        shape = read_shape(name, facts.variables, facts.now)
        if shape is not None and shape.project:
            yield name, shape.project


def _is_local(facts: Facts) -> bool:
    """True if the database is on this machine: then there is no Supabase project to compare."""
    shape = read_shape("SUPABASE_DB_URL", facts.variables, facts.now)
    return shape is not None and (shape.meaning or "").startswith("local")


def _check_environments(facts: Facts) -> Finding:
    names = {
        variable: facts.variables[variable].reveal()
        for variable in ("SUPABASE_MODE", "ENVIRONMENT")
        if variable in facts.variables and facts.variables[variable].reveal() in NAMES
    }
    if not isinstance(facts.railway_environment, Unavailable):
        named = facts.railway_environment.strip().lower()
        found = find_environment(named)
        names["Railway's environment"] = found.name if found else named
    if facts.bot_environment:
        names["the bot"] = facts.bot_environment
    name, compared = f"env.{facts.service.short}.environment", {"compared": sorted(names)}
    if len(set(names.values())) > 1:
        title = "not all name the same environment"
        return Finding(name, Status.FAIL, title, _disagreement(names), facts.service, compared)
    if isinstance(facts.railway_environment, Unavailable):
        title, detail = "Railway's environment unknown", facts.railway_environment.why
        return Finding(name, Status.UNKNOWN, title, detail, facts.service, compared)
    title = f"{_listed(names)} name the same environment"
    return Finding(name, Status.OK, title, "", facts.service, compared)


def _disagreement(values: Mapping[str, str]) -> str:
    """The names grouped by equal values, without the values: "A and B against C"."""
    groups: dict[str, list[str]] = {}
    for name, value in values.items():
        groups.setdefault(value, []).append(name)
    return " against ".join(" and ".join(names) for names in groups.values())


def _check_start_command(facts: Facts) -> Finding:
    name = f"env.{facts.service.short}.start_command"
    if isinstance(facts.start_command, Unavailable):
        return Finding(name, Status.UNKNOWN, "start command unknown", facts.start_command.why, facts.service)
    if facts.start_command is None:
        detail = "Railway then starts the Procfile's web line, which this service may not have"
        return Finding(name, Status.WARN, "start command is not set", detail, facts.service)
    procfile, *others = facts.right_commands
    if _words(facts.start_command) == _words(procfile):
        return Finding(name, Status.OK, "start command is the Procfile's", "", facts.service)
    if _words(facts.start_command) in map(_words, others):
        detail = f"starts the same process as: {procfile}"
        return Finding(name, Status.OK, "start command is known", detail, facts.service)
    title = "start command differs from the Procfile's"
    detail = f"the Procfile has: {procfile}"
    return Finding(name, Status.FAIL, title, detail, facts.service)


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return [command]


def _listed(names: Iterable[str]) -> str:
    """ "A, B and C"."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
