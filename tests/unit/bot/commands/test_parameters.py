"""Invalid parameters never become a plan."""

from __future__ import annotations

import pytest

from bot.commands.request_change import PLANS
from bot.config.environment import Settings
from bot.world import World
from services.domain.errors import OperatorError, UsageError


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("scale", {"service": "ingest", "to": "-1"}),
        ("scale", {"service": "ingest", "to": "51"}),
        ("scale", {"service": "ingest", "to": "9" * 40}),
        ("scale", {"service": "ingest", "to": "٣"}),
        ("scale", {"service": "ingest"}),
        ("scale", {"service": "nobody", "to": "1"}),
        ("scale", {"service": "ingest", "to": "1", "fast": "yes"}),
        ("restart", {"service": "ingest", "through_zero": "no"}),
        ("rollback", {"service": "api", "to": "a1b2"}),
        ("rollback", {"service": "api", "to": "$(reboot)"}),
        ("deploy", {"service": "api"}),
        ("deploy", {"service": "api", "sha": "main"}),
        ("deploy", {"service": "everything", "sha": "a1b2c3d4"}),
        ("redeploy", {"service": "all"}),
        ("requeue", {"what": "all"}),
        ("requeue", {"what": "orphans", "jobs": "1"}),
        ("requeue", {"what": "orphans", "jobs": ",".join(["0" * 8 + "-0000-0000-0000-" + "0" * 12] * 101)}),
        ("unlock", {"service": "api"}),
        ("unlock", {"service": "api", "reason": "why " * 100}),
        ("stop-workers", {"service": "api"}),
        ("stop-workers", {"service": "all"}),
        ("rollback-db", {"version": "20251201009000_rollback.sql"}),
        ("rollback-db", {"version": "../../etc"}),
    ],
)
async def test_malformed_parameters_are_refused_before_anything_is_read(name: str, parameters: dict[str, str]) -> None:
    world = World(Settings.from_environment({}))  # reading would find no environment, which is another error

    with pytest.raises(UsageError):
        await PLANS[name](parameters, world)


async def test_without_an_environment_nothing_is_planned() -> None:
    with pytest.raises(OperatorError, match="identity settings"):
        await PLANS["scale"]({"service": "ingest", "to": "2"}, World(Settings.from_environment({})))
