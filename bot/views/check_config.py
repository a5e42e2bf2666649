"""The bot's own settings: what cannot be used, and what is disabled by it."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Answer
from bot.views.findings import findings_answer
from playbooks._contract import Finding


def check_config_answer(findings: Sequence[Finding]) -> Answer:
    """Names of variables, never values; still for the asker alone, because it says what is not protected."""
    return findings_answer("settings of the bot", findings, private=True)
