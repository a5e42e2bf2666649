"""Checks that a group of the bot's settings is complete, and names the features that are lost without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from playbooks.model import Finding, Status

# Commands that don't work without a group of settings. A test compares the names with the existing commands.
DISABLED_BY: Mapping[str, tuple[str, ...]] = {
    "slack": (),
    "database": ("heartbeats", "failed-jobs", "queue", "throughput", "intake", "migrations"),
    "railway": ("deployments", "logs", "env"),
    "api": (),
    "alerts": (),
    "changes": (),
    "people": (),
    "policy": (),
    "oncall": (),
    "calendars": (),
    "supabase": (),
    "rules": (),
    "identity": (),
    "system": (),
    "web": (),
    "pager": (),
    "mail": (),
    "monitor": (),
    "hooks": (),
    "assistant": (),
    "privacy": (),
    "log": (),
    "traces": (),
    "reports": (),
    "github": (),
}

_LOSSES = {
    "slack": "nothing works in Slack",
    "api": "health and verify cannot ask the API",
    "alerts": "heartbeats count as stale after the default time",
    "changes": "each added replica is watched for two minutes, and only the server's own limit of connections counts",
    "people": "no one can request or approve a change",
    "policy": "no one can request or approve a change",
    "rules": "alerts use the limits of bot/config/alerts.toml",
    "oncall": "incidents page the approvers, in Slack only",
    "supabase": "the load of the database's machine is not read",
    "calendars": "rotations with a calendar at an address stay with the last good one",
    "assistant": "questions are answered by rules only",
    "identity": "health cannot verify whether the services belong to this environment",
    "system": "the operated system is the one that the database shows",
    "web": "the bot opens no HTTP port",
    "pager": "no pager is notified",
    "mail": "no e-mail is sent",
    "monitor": "no outside monitor notices when the bot is down",
    "privacy": "requesters see log lines and errors masked as channels do",
    "log": "the bot's own log is plain text",
    "traces": "no traces are sent",
    "reports": "no weekly report is posted",
    "github": "follow-ups get no GitHub issues",
    "hooks": "Railway's webhook is refused, so deployments are noticed by polling only",
}


@dataclass(frozen=True)
class Group:
    """One group of settings. `faults`: a sentence per missing or malformed variable, without its value."""

    name: str
    faults: tuple[str, ...] = ()


def check_group(group: Group) -> Finding:
    """`settings.<group>`, with every fault of the group."""
    name = f"settings.{group.name}"
    if not group.faults:
        return Finding(name, Status.OK, f"{group.name} settings are complete")
    disabled = DISABLED_BY.get(group.name, ())
    loss = f"disabled: {', '.join(disabled)}" if disabled else _LOSSES.get(group.name, "")
    detail = f"{'; '.join(group.faults)} ({loss})"
    evidence = {"faults": list(group.faults), "disabled": list(disabled)}
    return Finding(name, Status.FAIL, f"{group.name} settings cannot be used", detail, evidence=evidence)
