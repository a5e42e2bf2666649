"""What a log tells, then its lines: harmless whatever they hold, and masked unless asked for raw on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.commands._contract import Answer, Block
from bot.views.blocks import (
    PREFORMATTED_LIMIT,
    actions,
    command_button,
    context,
    is_web_address,
    link_button,
    preformatted,
    section,
)
from bot.views.findings import finding_blocks, finding_data, findings_text
from bot.views.message import fit_message
from bot.views.moments import clock_seconds
from bot.views.reveal import reveal_buttons
from bot.views.text import code, date_token, escape, plain
from playbooks._contract import Finding, Status, worst
from playbooks.logs import Choice, line_key
from services.domain.deployments import LogLine
from services.domain.privacy import Privacy, is_masked
from services.domain.services import Service
from services.domain.sha import short_sha
from services.domain.words import counted

TITLE = "logs"  # each finding names the service
LINE_LIMIT = 300  # characters of one line in Slack
RAW_LIMIT = 20_000  # and of one on the terminal
REPLICA_LENGTH = 4  # the last characters of a replica's id tell replicas apart
MASKED = "“…” stands for data. Whole lines: the button below, Railway, or `dragonfly logs … --raw` on a terminal."


@dataclass(frozen=True)
class LogView:
    """What is shown. `findings`: what the log tells, none for a build. `lines`: oldest first. `filter` as it was asked
    for, empty for none. `privacy`: None shows the lines as they are; `notice` then says what is to be known about it.

    `reveal_until`: Unix time until which a masked line can be shown whole by its button."""

    service: Service
    choice: Choice
    findings: Sequence[Finding]
    lines: Sequence[LogLine]
    filter: str
    is_build: bool
    privacy: Privacy | None
    reveal_until: int
    notice: str | None = None

    @property
    def is_raw(self) -> bool:
        """Whether nothing is masked: on a terminal, where it was asked for."""
        return self.privacy is None

    @property
    def has_replicas(self) -> bool:
        """Whether the lines come from more than one replica, so that each must say which."""
        return len({line.replica_id for line in self.lines}) > 1


def logs_answer(view: LogView) -> Answer:
    """What the log tells; which deployment's it is, its newest lines with the latest last, and what to press next."""
    messages = [view.privacy.mask(line.message) if view.privacy else line.message for line in view.lines]
    limit = RAW_LIMIT if view.is_raw else LINE_LIMIT
    shown = [
        _line(line, plain(message, limit=limit), with_replica=view.has_replicas)
        for line, message in zip(view.lines, messages, strict=True)
    ]
    fitting = shown if view.is_raw else _newest_within(shown, PREFORMATTED_LIMIT)
    told = finding_blocks(TITLE, view.findings) if view.findings else []
    headline = _headline(view)
    blocks: list[Block] = [*told, section(headline)]
    blocks += [preformatted("\n".join(fitting))] if fitting else [section(_nothing(view))]
    blocks += [context(*_notes(view, len(shown) - len(fitting)))]
    blocks += _reveal(view, messages)
    blocks += actions(_buttons(view))
    text, fitted = fit_message("\n".join([*_told(view), headline]), blocks)
    status = worst(view.findings) if view.findings else Status.OK
    return Answer(text, blocks if view.is_raw else fitted, _data(view, messages), status, private=True)


def _reveal(view: LogView, messages: Sequence[str]) -> list[Block]:
    """The newest lines of which something is hidden, to be shown whole to whoever may see them."""
    if view.is_raw:
        return []
    kind = "build" if view.is_build else "log"
    about = f"{kind} {view.service.short} {view.choice.deployment.id}"
    pairs = [pair for pair in zip(view.lines, messages, strict=True) if is_masked(pair[1])]
    labels = [(f"{clock_seconds(line.timestamp)} {message}", f"{about} {line_key(line)}") for line, message in pairs]
    return reveal_buttons(labels[::-1], until=view.reveal_until)


def _told(view: LogView) -> list[str]:
    return [findings_text(TITLE, view.findings)] if view.findings else []


def _headline(view: LogView) -> str:
    deployment = view.choice.deployment
    kind = "Build log" if view.is_build else "Log"
    matching = f" with {code(view.filter, limit=100)}" if view.filter else ""
    sha = escape(short_sha(deployment.commit_sha), limit=20)
    return (
        f"*{kind} of {view.service.short}* · {counted(len(view.lines), 'line')}{matching} · deployment {sha} "
        f"({view.choice.which}, {deployment.status.value}) of {date_token(deployment.created_at)}"
    )


def _nothing(view: LogView) -> str:
    return "No line matches the filter." if view.filter else "This log has no lines yet."


def _notes(view: LogView, left_out: int) -> list[str]:
    notes = ["Times are UTC.", view.notice or ""] if view.is_raw else ["Times are UTC.", MASKED]
    notes = [note for note in notes if note]
    return [*notes, f"… {counted(left_out, 'older line')} did not fit"] if left_out else notes


def _buttons(view: LogView) -> list[Block]:
    short, link = view.service.short, view.choice.deployment.link
    buttons = [
        command_button("Errors only", f"logs {short} @level:error"),
        command_button("Deployments", f"deployments {short}"),
    ]
    return [*buttons, link_button("Open in Railway", link)] if link and is_web_address(link) else buttons


def _line(line: LogLine, message: str, *, with_replica: bool) -> str:
    parts = [clock_seconds(line.timestamp), plain(line.severity, limit=10)]
    if with_replica and line.replica_id:
        parts.append(f"[{plain(line.replica_id[-REPLICA_LENGTH:])}]")
    return " ".join([*parts, message])


def _newest_within(lines: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    for line in reversed(lines):
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept[::-1]


def _data(view: LogView, messages: Sequence[str]) -> dict[str, object]:
    deployment = view.choice.deployment
    return {
        **finding_data(TITLE, view.findings),
        "service": view.service.value,
        "deployment": {"id": deployment.id, "status": deployment.status.value, "sha": deployment.commit_sha},
        "which": view.choice.which,
        "build": view.is_build,
        "filter": view.filter,
        "lines": [
            {
                "timestamp": line.timestamp,
                "severity": line.severity,
                "replica": line.replica_id,
                "message": message,
            }
            for line, message in zip(view.lines, messages, strict=True)
        ],
    }
