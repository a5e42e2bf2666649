"""The parameters of a change, as text, into the types that its playbook takes. Nothing is planned from a wrong one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.commands._arguments import parse_service, parse_sha, wrong_word
from bot.commands._targets import parse_reason, parse_replicas, parse_services, parse_target, parse_version
from playbooks.requeue import CAP, ORPHANS
from services.domain.errors import UsageError
from services.domain.services import Service, find_services

_JOB = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_GROUP = re.compile(r"g-[0-9a-f]{8}\Z")


def only(parameters: Mapping[str, str], *names: str) -> None:
    """Raises UsageError for a parameter that the change does not take: it would be approved and not obeyed."""
    for name in parameters:
        if name not in names:
            raise wrong_word(name, "is not a parameter of this change", f"It takes {', '.join(names)}.")


def need(parameters: Mapping[str, str], name: str) -> str:
    """The parameter's text, without blanks around it."""
    value = parameters.get(name, "").strip()
    if not value:
        raise UsageError("Nothing was done", why=f"`{name}` is missing", what_next="`help` shows what to write.")
    return value


def read_service(parameters: Mapping[str, str]) -> Service:
    """One service, by its full or short name."""
    return parse_service(need(parameters, "service"))


def read_services(parameters: Mapping[str, str]) -> tuple[str, tuple[Service, ...]]:
    """The word for the services, as written in a plan, and the services: one, `workers` or `all`."""
    word = parse_services((need(parameters, "service"),), "")
    return word, find_services(word) or ()


def read_workers(parameters: Mapping[str, str]) -> tuple[Service, ...]:
    """One worker service or, by `workers` or without a word, both."""
    services = read_services({"service": "workers", **parameters})[1]
    if Service.API in services:
        raise wrong_word(parameters["service"], "is no worker", "Name `ingest`, `enforcement` or `workers`.")
    return services


def read_replicas(parameters: Mapping[str, str], name: str, *, largest: int) -> int:
    """A whole number from 0."""
    return int(parse_replicas(need(parameters, name), largest=largest))


def read_flag(parameters: Mapping[str, str], name: str) -> bool:
    """Whether the flag is there; its value is "yes"."""
    value = parameters.get(name, "")
    if value not in ("", "yes"):
        raise wrong_word(value, f"is not a value of {name}", "Write `yes`, or leave it out.")
    return value == "yes"


def read_target(parameters: Mapping[str, str], name: str) -> str | None:
    """A commit of 7 to 40 characters or a deployment's id, in lower case; None when it is left out."""
    value = parameters.get(name, "").strip()
    return parse_target(value) if value else None


def read_sha(parameters: Mapping[str, str], name: str) -> str:
    """A commit of 7 to 40 characters, in lower case."""
    return parse_sha(need(parameters, name))


def read_jobs(parameters: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """What is to be requeued (a job's id, a group's name or `orphans`), and the jobs that a plan named already."""
    what = need(parameters, "what").lower()
    if what != ORPHANS and not _JOB.match(what) and not _GROUP.match(what):
        raise wrong_word(
            what, "is neither a job nor a group", "`failed-jobs` shows both; `orphans` are all orphaned jobs."
        )
    job_ids = tuple(job_id for job_id in parameters.get("jobs", "").split(",") if job_id)
    if len(job_ids) > CAP or not all(map(_JOB.match, job_ids)):
        raise wrong_word("jobs", f"is not a list of at most {CAP} job ids", "Leave it out to have them found.")
    return what, job_ids


def read_version(parameters: Mapping[str, str]) -> str:
    """A migration's version."""
    return parse_version(need(parameters, "version"))


def read_reason(parameters: Mapping[str, str], example: str = "") -> str:
    """Why, in one line. Raises UsageError when it is empty."""
    return parse_reason(parameters.get("reason", "").split(), example)
