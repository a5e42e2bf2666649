"""An alert as one message that stays true: firing, then resolved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.commands._contract import Block
from bot.views.blocks import actions, command_button, context, section
from bot.views.message import fit_message
from bot.views.text import date_token, escape, plain
from playbooks._contract import Finding
from services.domain.deployments import Deployment
from services.domain.jobs import QueueSnapshot
from services.domain.sha import short_sha
from services.domain.words import age


@dataclass(frozen=True)
class Surroundings:
    """What a page line says besides the trouble itself; None: not known just now."""

    environment: str | None
    queue: QueueSnapshot | None = None
    last_deploy: Deployment | None = None


def page_line(finding: Finding, around: Surroundings, *, as_of: datetime) -> str:
    """ "PAGE prod · ingest 0 of 2 beating, …": what a pager or a mail shows (DESIGN §6), as plain text."""
    return f"PAGE {_line(finding, around, as_of)}"


def end_line(finding: Finding, around: Surroundings) -> str:
    """ "Resolved prod · ingest 2 of 2 beating", as plain text."""
    return f"Resolved {_place(around)} · {finding.title}"


def firing(finding: Finding, around: Surroundings, *, as_of: datetime, since: datetime) -> tuple[str, list[Block]]:
    """Text and blocks. The first line is all that a phone shows (DESIGN §6)."""
    line = escape(_line(finding, around, as_of))
    blocks = [
        section(f"🔴 *PAGE* {line}"),
        *actions(_buttons(finding)),
        context(f"since {date_token(since)} · as of {date_token(as_of)}"),
    ]
    return fit_message(f"🔴 PAGE {line}", blocks)


def resolved(finding: Finding, around: Surroundings, *, since: datetime, at: datetime) -> tuple[str, list[Block]]:
    """The same message once it is over; its buttons go with the trouble."""
    line = escape(f"{_place(around)} · {finding.title}")
    blocks = [
        section(f"🟢 *Resolved* {line}"),
        context(f"lasted {age(at - since)}, from {date_token(since)} to {date_token(at)}"),
    ]
    return fit_message(f"🟢 Resolved {line}", blocks)


def disabled(faults: Sequence[tuple[str, str]], environment: str | None) -> tuple[str, list[Block]]:
    """What the settings lack, said once at the start: (variable, problem) each."""
    words = ", ".join(f"`{escape(variable)}` {escape(problem)}" for variable, problem in faults)
    line = f"🟡 *{escape(environment or 'environment unknown')}* · the bot runs without some of its settings"
    blocks = [
        section(f"{line}\n{words}. The commands that need them say so."),
        *actions([command_button("Check the settings", "check-config")]),
    ]
    return fit_message(f"{line}: {words}", blocks)


def _line(finding: Finding, around: Surroundings, as_of: datetime) -> str:
    parts = [_place(around), _trouble(finding), *_backlog(around, as_of), _deploy(around, as_of)]
    return plain(" · ".join(filter(None, parts)))


def _place(around: Surroundings) -> str:
    return around.environment or "environment unknown"


def _trouble(finding: Finding) -> str:
    return ", ".join(filter(None, (finding.title, finding.detail.split(";")[0])))


def _backlog(around: Surroundings, as_of: datetime) -> list[str]:
    if around.queue is None:
        return ["queue unknown"]
    oldest = around.queue.oldest_pending_at
    waiting = f"{around.queue.pending} waiting" + (f", oldest {age(as_of - oldest)}" if oldest else "")
    return [waiting, "DB ok"]


def _deploy(around: Surroundings, as_of: datetime) -> str:
    deploy = around.last_deploy
    if deploy is None:
        return ""
    by = f" by {plain(deploy.author, limit=80)}" if deploy.author else ""
    return f"last deploy {short_sha(deploy.commit_sha)} {age(as_of - deploy.created_at)} ago{by}"


def _buttons(finding: Finding) -> list[Block]:
    short = finding.service.short if finding.service else ""
    return [
        command_button("Heartbeats", f"heartbeats {short}".strip(), style="primary"),
        *([command_button("Logs", f"logs {short}")] if short else []),
        command_button("Health", "health"),
    ]
