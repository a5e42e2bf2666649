"""What a log tells, then its lines: harmless whatever they hold, and masked unless asked for raw on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

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
from bot.views.log_entries import split_entries
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
ENTRY_LIMIT = 1500  # and of the further lines of a traceback: the newest entry always has room
MOST_INDENTED = 6  # characters; a phone has 40
RAW_LIMIT = 20_000  # and of one on the terminal
REPLICA_LENGTH = 4  # the last characters of a replica's id tell replicas apart
TIMES = "\N{MULTIPLICATION SIGN}"
MASKED = "“…” stands for data. Whole lines: the button below, Railway, or `dragonfly logs … --raw` on a terminal."


_Shown = tuple[LogLine, str]  # a line and its masked message
_Entry = list[_Shown]  # lines that belong together


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
    """What the log tells; which deployment's it is, its newest lines, and what to press next.

    The latest line is the first and equal ones are folded, but for the raw view, which is a terminal's. The lines of a
    traceback stay together, in their own order.
    """
    messages = [view.privacy.mask(line.message) if view.privacy else line.message for line in view.lines]
    groups = _as_written(view) if view.is_raw else _fold(view.lines, messages)
    shown = [_group_text(group, view) for group in groups]
    fitting = shown if view.is_raw else _within(shown, PREFORMATTED_LIMIT)
    left_out = sum(len(entry) for group in groups[len(fitting) :] for entry in group)
    told = finding_blocks(TITLE, view.findings) if view.findings else []
    headline = _headline(view)
    blocks: list[Block] = [*told, section(headline)]
    blocks += [preformatted("\n".join(fitting))] if fitting else [section(_nothing(view))]
    blocks += [context(*_notes(view, left_out))]
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
    notes = ["Times are UTC.", view.notice or ""] if view.is_raw else ["Newest first, times are UTC.", MASKED]
    notes = [note for note in notes if note]
    return [*notes, f"… {counted(left_out, 'older line')} did not fit"] if left_out else notes


def _buttons(view: LogView) -> list[Block]:
    short, link = view.service.short, view.choice.deployment.link
    buttons = [
        command_button("Errors only", f"logs {short} @level:error"),
        command_button("Deployments", f"deployments {short}"),
    ]
    return [*buttons, link_button("Open in Railway", link)] if link and is_web_address(link) else buttons


def _as_written(view: LogView) -> list[list[_Entry]]:
    return [[[(line, line.message)]] for line in view.lines]


def _fold(lines: Sequence[LogLine], messages: Sequence[str]) -> list[list[_Entry]]:
    """Entries that follow each other and say the same, newest first; a group's oldest entry is its first."""
    entries = [[(lines[index], messages[index]) for index in entry] for entry in split_entries(lines)]
    return [list(group) for _, group in groupby(entries, key=_said)][::-1]


def _said(entry: _Entry) -> list[tuple[str, str]]:
    return [(line.severity, message) for line, message in entry]


def _group_text(group: Sequence[_Entry], view: LogView) -> str:
    """ "06:46:12 info [a1b2] No pending jobs found", then how often and from when to when it was said.

    The further lines of an entry follow below, in their own order.
    """
    first, last = group[0][0][0], group[-1][0][0]
    message = group[0][0][1]
    parts = [clock_seconds(last.timestamp), plain(last.severity, limit=10)]
    is_of_one = all(entry[0][0].replica_id == last.replica_id for entry in group)
    if view.has_replicas and last.replica_id and is_of_one:
        parts.append(f"[{plain(last.replica_id[-REPLICA_LENGTH:])}]")
    parts.append(plain(message, limit=RAW_LIMIT if view.is_raw else LINE_LIMIT))
    if len(group) > 1:
        span = f"{clock_seconds(first.timestamp)[:5]}-{clock_seconds(last.timestamp)[:5]}"
        parts.append(f"({TIMES} {len(group)}, {span})")
    return "\n".join([" ".join(parts), *_further_lines(group[-1][1:])])


def _further_lines(pairs: Sequence[_Shown]) -> list[str]:
    """As many of the last ones as fit: a traceback ends with what matters."""
    lines = [
        f"{_indented(line.message)}{plain(message, limit=LINE_LIMIT)}" for line, message in pairs if message.strip()
    ]
    kept = _within(lines[::-1], ENTRY_LIMIT)[::-1]
    return kept if len(kept) == len(lines) else [f"  … {counted(len(lines) - len(kept), 'line')}", *kept]


def _indented(message: str) -> str:
    own = len(message) - len(message.lstrip())
    return "  " + " " * min(own, MOST_INDENTED)


def _within(lines: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept


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
