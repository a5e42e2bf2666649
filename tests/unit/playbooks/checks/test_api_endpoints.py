"""The check of the API's endpoints: those that the bot uses against those that the API has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.commands.registry import REGISTRY
from playbooks.checks.api import NEEDED, NEEDED_BY_SYSTEM, check_endpoints
from playbooks.model import Status
from services.api.app import build_app
from services.api.settings import ApiSettings
from services.domain.errors import Unavailable
from services.domain.health import Endpoint
from services.domain.systems import CIVIL, RUNBOOK, System

COMING = {"golden-path"}


def test_the_api_has_what_is_needed() -> None:
    settings = ApiSettings(supabase_db_url="postgresql://u:p@127.0.0.1:1/d", environment="dev")
    paths = build_app(settings).openapi()["paths"]
    there = {Endpoint(method.upper(), path) for path, methods in paths.items() for method in methods}

    assert [finding.status for finding in check_endpoints(there, RUNBOOK)] == [Status.OK]


def test_commands_that_are_named_exist() -> None:
    assert {command for commands in NEEDED.values() for command in commands} - COMING <= set(REGISTRY)


def test_an_endpoint_that_is_gone_is_named_with_what_it_takes_away() -> None:
    gone = Endpoint("GET", "/api/v1/intake/health")

    [finding] = check_endpoints(NEEDED.keys() - {gone}, RUNBOOK)

    assert finding.status is Status.FAIL
    assert finding.title.endswith(f" {gone.method} {gone.path}")
    assert finding.detail == "affects health, verify"


def test_endpoints_are_unknown_when_the_api_does_not_list_them() -> None:
    assert [finding.status for finding in check_endpoints(Unavailable("API", "HTTP 404"), RUNBOOK)] == [Status.UNKNOWN]


@pytest.mark.parametrize("system", [CIVIL, RUNBOOK])
def test_each_system_needs_endpoints_of_its_own(system: System) -> None:
    needed = NEEDED_BY_SYSTEM[system.name]
    renamed = {Endpoint(one.method, one.path.replace("{batch_id}", "{id}")) for one in needed}

    assert [finding.status for finding in check_endpoints(renamed, system)] == [Status.OK]
    for gone in needed:
        assert [finding.status for finding in check_endpoints(needed.keys() - {gone}, system)] == [Status.FAIL]


def test_endpoints_are_unknown_for_an_unknown_system() -> None:
    [finding] = check_endpoints(set(), replace(CIVIL, name="other"))

    assert finding.status is Status.UNKNOWN
