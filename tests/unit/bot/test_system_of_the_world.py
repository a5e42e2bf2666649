"""The operated system reaches every gatherer of facts, and words for a service that it lacks are answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

import pytest

from bot.commands.dispatch import run
from bot.config.environment import Settings
from bot.facts.doctor import gather_doctor
from bot.facts.health import gather_health
from bot.facts.plan import gather_load
from bot.facts.preflight import gather_env
from bot.facts.verify import gather_heartbeats, gather_sha, gather_verify
from bot.types import Request
from bot.world import World
from services.domain.errors import UsageError
from services.domain.services import Service
from services.domain.systems import CIVIL, RUNBOOK, System

ENVIRONMENT = {"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev"}


def world(**variables: str) -> World:
    return World(Settings.from_environment({**ENVIRONMENT, **variables}))


def systems_in(value: object) -> Iterator[System]:
    if isinstance(value, System):
        yield value
    elif is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            yield from systems_in(getattr(value, one.name))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from systems_in(inner)


async def test_every_gatherer_hands_the_system_on() -> None:
    civil = world(OPERATED_SYSTEM="civil")
    gathered = [
        await gather_health(civil),
        await gather_sha(civil),
        await gather_verify(civil, CIVIL.services, None),
        await gather_heartbeats(civil),
        await gather_env(civil, CIVIL.services),
        await gather_doctor(civil),
        await gather_load(civil),
    ]

    for facts in gathered:
        found = list(systems_in(facts))
        assert found, type(facts)
        assert {system.name for system in found} == {"civil"}, type(facts)


def test_system_without_a_setting_and_a_database_is_our_own() -> None:
    assert world().system is RUNBOOK


def test_malformed_system_is_a_fault_and_not_taken() -> None:
    settings = Settings.from_environment({**ENVIRONMENT, "OPERATED_SYSTEM": "owl"})

    assert [(fault.variable, fault.problem) for fault in settings.faults if "SYSTEM" in fault.variable] == [
        ("OPERATED_SYSTEM", "is not runbook or civil")
    ]
    assert World(settings).system is RUNBOOK


def test_fourth_service_may_have_another_name_in_railway() -> None:
    civil = world(OPERATED_SYSTEM="civil", RAILWAY_SERVICE_SIMPLICITY="simplicity-prod")

    assert civil.system.find_service("simplicity-prod") is Service.SIMPLICITY
    assert civil.settings.operated.railway_names == {"simplicity-prod": "dragonfly-worker-simplicity"}


LINES = ("logs simplicity", "deployments simplicity", "heartbeats simplicity", "env simplicity", "verify simplicity")
CHANGES = ("restart simplicity --dry-run", "stop-workers simplicity --dry-run", "rollback simplicity --dry-run")


@pytest.mark.parametrize("line", [*LINES, *CHANGES])
async def test_service_of_another_system_is_reported_as_missing(line: str) -> None:
    with pytest.raises(UsageError) as raised:
        await run(line, Request(), world(OPERATED_SYSTEM="runbook"))

    assert raised.value.why.endswith("no simplicity")
    assert "`api`, `ingest`, `enforcement`" in (raised.value.what_next or "")
