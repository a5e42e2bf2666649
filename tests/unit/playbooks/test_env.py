"""The checks of variables: present, well-formed, consistent, and their values never shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from playbooks.env import Facts, check
from playbooks.model import Finding, Status, worst
from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.secrets import Secret
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from tests.unit.playbooks.healthy import NOW, OTHER, PROJECT, dsn, key
from tests.unit.playbooks.healthy import VARIABLES as GOOD

COMMANDS = {one.service: one.start_commands for one in RUNBOOK.operated}


def facts(variables: Mapping[str, str] = GOOD, service: Service = Service.API) -> Facts:
    command = COMMANDS[service][0]
    return Facts(
        variables={service: {name: Secret(value) for name, value in variables.items()}},
        services={service: ServiceState(service, "s1", start_command=command)},
        railway_environment="production",
        bot_environment="prod",
        now=NOW,
        system=RUNBOOK,
    )


def wrong(facts: Facts) -> dict[str, Finding]:
    """Findings that are not OK, by the last part of their check's name."""
    findings = [finding for own in check(facts).values() for finding in own]
    return {finding.check.split(".")[-1]: finding for finding in findings if finding.status is not Status.OK}


def changed(**values: str | None) -> dict[str, str]:
    merged = {**GOOD, **values}
    return {name: value for name, value in merged.items() if value is not None}


def test_a_complete_environment_is_fine() -> None:
    assert wrong(facts()) == {}


def test_each_service_needs_its_own_variables() -> None:
    without = changed(DRAGONFLY_API_KEY=None, OPENAI_API_KEY=None)

    assert list(wrong(facts(without))) == ["DRAGONFLY_API_KEY"]
    assert list(wrong(facts(without, Service.INGEST))) == []
    assert "OPENAI_API_KEY" in wrong(facts(without, Service.ENFORCEMENT))


def test_optional_variables_are_checked_only_when_set() -> None:
    odd = changed(OPENAI_BASE_URL="http://api.example", OPENAI_MODEL="two words")

    assert [name for name in wrong(facts(GOOD, Service.ENFORCEMENT)) if name.startswith("OPENAI")] == []
    assert wrong(facts(odd, Service.ENFORCEMENT))["OPENAI_BASE_URL"].title == "OPENAI_BASE_URL is malformed"
    assert wrong(facts(odd, Service.ENFORCEMENT))["OPENAI_MODEL"].title == "OPENAI_MODEL is malformed"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SUPABASE_DB_URL", None, "is missing"),
        ("SUPABASE_DB_URL", " ", "is empty"),
        ("SUPABASE_DB_URL", dsn(PROJECT, 5433), "is malformed"),
        ("SUPABASE_DB_URL", "${{Postgres.DATABASE_URL}}", "is malformed"),
        ("SUPABASE_MODE", "production", "is malformed"),
        ("SUPABASE_SERVICE_ROLE_KEY", key(PROJECT, "anon"), "is malformed"),
        ("SUPABASE_SERVICE_ROLE_KEY", key(PROJECT) + "\n", "is malformed"),
        ("DRAGONFLY_API_KEY", "two words", "is malformed"),
        ("PORT", "http", "is malformed"),
    ],
)
def test_reports_what_is_wrong_with_a_variable(name: str, value: str | None, words: str) -> None:
    finding = wrong(facts(changed(**{name: value})))[name]

    assert finding.status is Status.FAIL
    assert finding.title == f"{name} {words}"


@pytest.mark.parametrize("port", [5432, 6543])
def test_both_poolers_are_fine_and_are_reported_apart(port: int) -> None:
    findings = check(facts(changed(SUPABASE_DB_URL=dsn(PROJECT, port))))[Service.API]

    detail = next(finding.detail for finding in findings if finding.check.endswith("SUPABASE_DB_URL"))
    assert str(port) in detail


@pytest.mark.parametrize(
    "values",
    [
        {"SUPABASE_URL": f"https://{OTHER}.supabase.co"},
        {"SUPABASE_SERVICE_ROLE_KEY": key(OTHER)},
        {"SUPABASE_DB_URL": dsn(OTHER)},
    ],
)
def test_two_projects_are_wrong(values: dict[str, str]) -> None:
    finding = wrong(facts(changed(**values)))["project"]

    assert finding.status is Status.FAIL
    assert "against" in finding.detail


def test_projects_that_cannot_be_compared_are_unknown_unless_local() -> None:
    custom = changed(
        SUPABASE_URL="https://db.example.com", SUPABASE_DB_URL="postgresql://a:b@db.example.com:5432/postgres"
    )
    local = changed(SUPABASE_URL="http://127.0.0.1:1", SUPABASE_DB_URL="postgresql://a:b@127.0.0.1:5433/dragonfly")

    assert wrong(facts(custom))["project"].status is Status.UNKNOWN
    assert "project" not in wrong(facts(local))


def test_two_environments_are_wrong_wherever_the_other_one_is_named() -> None:
    assert wrong(facts(changed(SUPABASE_MODE="staging")))["environment"].status is Status.FAIL
    assert wrong(replace(facts(), railway_environment="staging"))["environment"].status is Status.FAIL
    assert wrong(replace(facts(), bot_environment="dev"))["environment"].status is Status.FAIL


def test_any_environment_of_the_list_agrees_with_itself() -> None:
    qa = replace(facts(changed(SUPABASE_MODE="qa", ENVIRONMENT="qa")), railway_environment="QA", bot_environment="qa")

    assert wrong(qa) == {}


def test_an_unknown_railway_environment_is_unknown() -> None:
    silent = replace(facts(), railway_environment=Unavailable("Railway", "HTTP 500"))

    assert wrong(silent)["environment"].status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("python  -m services.api", None),
        ("python -m  tools.run_uvicorn", None),
        ("python -m backend.workers.ingest_processor", Status.FAIL),
        ("python -m tools.run_uvicorn --reload", Status.FAIL),
        ("python -m 'services.api", Status.FAIL),
        (None, Status.WARN),
    ],
)
def test_the_start_command_is_the_procfiles(command: str | None, status: Status | None) -> None:
    services = {Service.API: ServiceState(Service.API, "s1", start_command=command)}

    finding = wrong(replace(facts(), services=services)).get("start_command")

    assert (finding.status if finding else None) is status


@pytest.mark.parametrize("service", list(RUNBOOK.services))
def test_the_runbook_s_own_start_command_is_fine(service: Service) -> None:
    services = {service: ServiceState(service, "s1", start_command=COMMANDS[service][1])}

    own = check(replace(facts(service=service), services=services))[service]

    [finding] = [finding for finding in own if finding.check.endswith("start_command")]
    assert finding.status is Status.OK
    assert finding.title.endswith(" is known")


def test_variables_that_cannot_be_read_are_unknown() -> None:
    silent = replace(facts(), variables={Service.API: Unavailable("Railway", "HTTP 403")})

    assert worst(check(silent)[Service.API]) is Status.UNKNOWN


@pytest.mark.parametrize("service", list(RUNBOOK.services))
def test_no_value_is_ever_shown(service: Service) -> None:
    bad = {
        "SUPABASE_MODE": "canary-mode",
        "ENVIRONMENT": "canary-environment",
        "SUPABASE_URL": f"https://{OTHER}.supabase.co/canary",
        "SUPABASE_SERVICE_ROLE_KEY": key(OTHER, "canary-role"),
        "SUPABASE_DB_URL": dsn(PROJECT, 7777),
        "DRAGONFLY_API_KEY": "canary key",
        "OPENAI_API_KEY": "canary",
        "PORT": "canary",
    }
    for variables in (GOOD, bad, changed(SUPABASE_URL=f"https://{OTHER}.supabase.co")):
        shown = repr(check(facts(variables, service)))

        assert "canary" not in shown.lower()
        assert PROJECT not in shown
        assert OTHER not in shown
