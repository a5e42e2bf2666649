"""Checks that the bot itself is able to act."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from playbooks.model import Finding, NextStep, Status
from services.domain.health import BotState
from services.domain.services import short_sha
from services.domain.text import age


@dataclass(frozen=True)
class Facts:
    """`state` is None if no bot runs: on the terminal. `now` is the bot's own clock, as is its start.

    `absence`: how long no bot has run, as the database tells a terminal; None if one runs, or that is unknown.
    `channel_problem`: why the incidents channel takes no messages, if no bot runs; None as in `BotState`.
    """

    state: BotState | None
    now: datetime
    channel_problem: str | None = None
    absence: timedelta | None = None


def check(facts: Facts) -> list[Finding]:
    """`bot.channel` if the incidents channel takes no messages, and `bot.self` if a bot runs or stopped."""
    state = facts.state
    problem = state.channel_problem if state else facts.channel_problem
    found = [check_channel(problem)] if problem else []
    if state:
        return [*found, _check_self(state, facts.now)]
    return [*found, _absent(facts.absence)] if facts.absence else found


def check_channel(problem: str) -> Finding:
    """The finding about the incidents channel, for `check-config` too."""
    return Finding(
        "bot.channel",
        Status.FAIL,
        f"the incidents channel takes no messages: {problem}",
        "fix it in Slack, or set SLACK_INCIDENTS_CHANNEL to another channel; until then pages go directly to the "
        "people on call and to the approvers, and to the pagers if that reaches no one",
        next_step=NextStep("Check the settings", "check-config"),
    )


def _absent(absence: timedelta) -> Finding:
    return Finding(
        "bot.self",
        Status.FAIL,
        f"bot is not running, last active {age(absence)} ago",
        "no alert is evaluated, no one is paged and no run is executed until it is back; see docs/bot-down.md",
        evidence={"idle_s": round(absence.total_seconds())},
    )


def _check_self(state: BotState, now: datetime) -> Finding:
    uptime = now - state.started_at
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
        return Finding("bot.self", Status.FAIL, title, detail, evidence=evidence, next_step=step)
    role = {True: "leader", False: "standing by", None: "leader unknown"}[state.leader]
    title = "bot connected" if state.connected else "bot runs"
    return Finding("bot.self", Status.OK, title, f"{detail}, {role}", evidence=evidence)
