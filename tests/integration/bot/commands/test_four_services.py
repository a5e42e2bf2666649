"""The local Railway with three and with four services, operated as either system."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from bot.commands.dispatch import run
from bot.config.environment import Settings
from bot.types import Request
from bot.world import World
from playbooks.checks import deployments
from services.clients.railway.client import RailwayClient
from services.clients.railway.transport import TokenKind
from services.domain.secrets import Secret
from services.domain.services import Service
from services.domain.systems import System
from services.sandbox.railway.control import build_railway_router
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import ServiceSpec
from tests.integration.bot.commands.plans.conftest import PACE, SPECS, TOKEN
from tests.integration.services.clients.railway.conftest import TALK
from tests.outside import PATIENCE_S
from tests.serving import serve

FOURTH = "simplicity-prod"


@asynccontextmanager
async def railway_with(specs: tuple[ServiceSpec, ...], directory: Path) -> AsyncIterator[Callable[..., World]]:
    """`make(**environment)`: a world of this Railway, without a database or an API."""
    local = LocalRailway(specs, directory=directory, working_directory=directory, token=TOKEN, pace=PACE)
    app = FastAPI()
    app.include_router(build_railway_router(local))
    async with AsyncExitStack() as stack:
        await local.start()
        stack.push_async_callback(local.stop)
        await local.wait_until_serving(PATIENCE_S)
        address = await stack.enter_async_context(serve(app))

        def make(**environment: str) -> World:
            settings = Settings.from_environment({"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev", **environment})
            reader = RailwayClient(
                url=f"{address}/railway/graphql/v2",
                token=Secret(TOKEN),
                token_kind=TokenKind.PROJECT,
                project_id=local.place.project_id,
                environment_id=local.place.environment_id,
                names=settings.operated.railway_names,
            )
            stack.push_async_callback(reader.aclose)
            return World(replace(settings, source_timeout_s=30.0), railway=reader)

        yield make


async def answer(world: World, line: str) -> dict[str, Any]:
    data = (await run(line, Request(), world)).data
    assert isinstance(data, dict)
    return data


CIVIL = {"OPERATED_SYSTEM": "civil", "RAILWAY_SERVICE_SIMPLICITY": FOURTH}


@pytest.mark.parametrize("count", [3, 4])
async def test_stop_workers_covers_the_services_of_the_system_and_names_the_others(count: int, tmp_path: Path) -> None:
    fourth = ServiceSpec(FOURTH, ("python", "-c", TALK))

    async with railway_with((*SPECS, fourth)[:count], tmp_path) as make:
        as_runbook = await answer(make(), "stop-workers --dry-run")
        as_civil = await answer(make(**CIVIL), "stop-workers --dry-run")
        services = await make(**CIVIL).railway_services()

    four = ["simplicity"] if count == 4 else []
    uncovered = [f"does not cover other services of this Railway environment: {FOURTH}"] if four else []
    assert as_runbook["undo"] == "scale ingest 2; scale enforcement 1"
    assert [one for one in as_runbook["warnings"] if "does not cover" in one] == uncovered
    assert as_civil["undo"] == "; ".join(["scale ingest 2", "scale enforcement 1", *(f"scale {one} 1" for one in four)])
    assert not [one for one in as_civil["warnings"] if "does not cover" in one]
    assert isinstance(services, dict)
    assert (Service.SIMPLICITY in services) is (count == 4)
    missing = [one for one in deployments.check(services, civil_system()) if "not in this" in one.title]
    assert [one.service for one in missing] == ([] if count == 4 else [Service.SIMPLICITY])


def civil_system() -> System:
    found = Settings.from_environment(CIVIL).operated.system
    assert found is not None
    return found
