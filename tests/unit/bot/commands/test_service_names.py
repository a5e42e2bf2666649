"""Errors list the services of the operated system, and offer no other."""

from __future__ import annotations

import pytest

from bot.commands.dispatch import run
from bot.config.environment import Settings
from bot.types import Request, Surface
from bot.world import World
from services.domain.errors import OperatorError, UsageError
from services.domain.systems import SYSTEMS, System

TERMINAL = Request(surface=Surface.TERMINAL)
COMMANDS = ("logs", "restart", "redeploy", "rollback", "deploy", "scale", "env", "verify", "heartbeats",
            "deployments", "report", "lock", "unlock")  # fmt: skip


async def refused(line: str, system: System) -> OperatorError:
    environ = {"ENVIRONMENT": "dev", "SUPABASE_MODE": "dev", "OPERATED_SYSTEM": system.name}
    with pytest.raises(UsageError) as caught:
        await run(line, TERMINAL, World(Settings.from_environment(environ)))
    return caught.value


def foreign_to(system: System) -> set[str]:
    """The short names of services that only other systems have."""
    return {one.short for other in SYSTEMS for one in other.services} - {one.short for one in system.services}


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_typo_is_answered_with_the_services_of_the_system(command: str, system: System) -> None:
    error = await refused(f"{command} simplicty", system)

    offered = f"{error.what_next} {' '.join(choice.line for choice in error.choices)}"
    assert [name for name in foreign_to(system) if name in offered] == []


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
@pytest.mark.parametrize("command", ["logs", "restart", "rollback", "deploy", "scale"])
async def test_a_missing_service_is_asked_for_by_the_names_of_the_system(command: str, system: System) -> None:
    error = await refused(command, system)

    assert [one.short for one in system.services if f"`{one.short}`" not in error.what_next] == []
    assert [name for name in foreign_to(system) if name in error.what_next] == []
