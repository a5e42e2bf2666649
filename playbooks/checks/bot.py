"""Is the bot itself able to act?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from playbooks._contract import Finding, NextStep, Status
from services.domain.bot_state import BotState
from services.domain.sha import short_sha
from services.domain.words import age


@dataclass(frozen=True)
class Facts:
    """`state` is None where no bot runs: on the terminal. `now` is the bot's own clock, as is its start."""

    state: BotState | None
    now: datetime


def check(facts: Facts) -> list[Finding]:
    """One finding, `bot.self`; none on the terminal."""
    state = facts.state
    if state is None:
        return []
    uptime = facts.now - state.started_at
    evidence = {
        "git_sha": state.git_sha,
        "uptime_s": round(uptime.total_seconds()),
        "connected": state.connected,
        "leader": state.leader,
    }
    detail = f"SHA {short_sha(state.git_sha)}, up {age(uptime)}"
    if state.connected is False:
        step = NextStep("Check the settings", "check-config")
        title = "bot is not connected to Slack"
        return [Finding("bot.self", Status.FAIL, title, detail, evidence=evidence, next_step=step)]
    role = {True: "leader", False: "standing by", None: "leader unknown"}[state.leader]
    return [
        Finding(
            "bot.self",
            Status.OK,
            "bot connected" if state.connected else "bot runs",
            f"{detail}, {role}",
            evidence=evidence,
        )
    ]
