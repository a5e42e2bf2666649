"""What a policy may name."""

from __future__ import annotations

from bot.commands.command import Change
from bot.commands.registry import REGISTRY
from bot.config.policy import RISKS


def test_every_change_has_its_risk_and_nothing_else_has() -> None:
    assert set(RISKS) == {name for name, verb in REGISTRY.items() if isinstance(verb, Change)}
