"""Plans made from a real database, with Railway at the wire."""

from __future__ import annotations

import pytest

from bot.facts import World
from bot.facts.plans import PLANS
from playbooks._contract import Plan
from services.domain.errors import UsageError


@pytest.mark.parametrize(
    ("name", "parameters"), [("scale", {"service": "ingest", "to": "2"}), ("restart", {"service": "api"})]
)
async def test_a_plan_is_made_again_from_its_own_parameters(
    world: World, name: str, parameters: dict[str, str]
) -> None:
    first = await PLANS[name](parameters, world)
    assert isinstance(first, Plan)

    again = await PLANS[name](first.parameters, world)

    assert isinstance(again, Plan)
    assert (again.playbook, again.hash) == (name, first.hash)


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
    ],
)
async def test_malformed_parameters_are_refused_before_anything_is_read(
    world: World, name: str, parameters: dict[str, str]
) -> None:
    with pytest.raises(UsageError):
        await PLANS[name](parameters, world)
