"""`logs <service> [filter] [--failed] [--build] [-n <lines>]`: findings in a deployment's log, and its newest lines."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from bot.commands.arguments import need_service, parse_count, take_raw, wrong_word
from bot.commands.reveal import record_raw, reveal_buttons, reveal_until
from bot.facts.logs import DIGEST_LINES, read_due
from bot.types import Answer, Block, Request
from bot.views.blocks import (
    PREFORMATTED_LIMIT,
    actions,
    clock_seconds,
    command_button,
    context,
    fit_message,
    is_web_address,
    link_button,
    preformatted,
    section,
)
from bot.views.findings import finding_blocks, finding_data, findings_text, unavailable_answer
from bot.views.text import code, date_token, escape, plain
from playbooks.checks.logs import Facts
from playbooks.log_entries import split_entries
from playbooks.log_patterns import PATTERNS_BY_NAME, LogPatterns
from playbooks.logs import Choice, check, choose, line_key
from playbooks.model import Finding, Status, worst
from services.clients.railway.client import RailwayClient
from services.domain.deployments import LogLine, ServiceState, find_state
from services.domain.errors import OperatorError, Unavailable, UsageError
from services.domain.privacy import Privacy, is_masked
from services.domain.services import Service, short_sha
from services.domain.text import counted

if TYPE_CHECKING:
    from bot.world import World


TITLE = "logs"  # each finding names the service
LINE_LIMIT = 300  # characters of one line in Slack
ENTRY_LIMIT = 1500  # characters of an entry's further lines (a traceback), so that the newest entry always fits
MOST_INDENTED = 6  # characters; a phone has 40
RAW_LIMIT = 20_000  # characters of one line on the terminal
REPLICA_LENGTH = 4  # the last characters of a replica's id distinguish replicas
TIMES = "\N{MULTIPLICATION SIGN}"
MASKED = "“…” hides data. To see whole lines, press the button below, open Railway, or run `dragonfly logs … --raw`."


_Shown = tuple[LogLine, str]  # a line and its masked message
_Entry = list[_Shown]  # lines that belong together


@dataclass(frozen=True)
class LogView:
    """Data of the answer. `findings`: matches of the log patterns, empty for a build. `lines`: oldest first. `filter`:
    as typed, empty for none. `patterns`: log format of the system's processes. `privacy`: masks the lines; None shows
    them as they are, and `notice` then says if that could not be recorded.

    `reveal_until`: Unix time until which the buttons show a masked line in full."""

    service: Service
    choice: Choice
    findings: Sequence[Finding]
    lines: Sequence[LogLine]
    filter: str
    is_build: bool
    privacy: Privacy | None
    reveal_until: int
    notice: str | None = None
    patterns: LogPatterns = field(kw_only=True)

    @property
    def is_raw(self) -> bool:
        """True if nothing is masked (`--raw` on a terminal)."""
        return self.privacy is None

    @property
    def has_replicas(self) -> bool:
        """True if the lines come from several replicas, so that each line names its replica."""
        return len({line.replica_id for line in self.lines}) > 1


def logs_answer(view: LogView) -> Answer:
    """The findings, the deployment, the newest lines, and buttons.

    Newest first, with equal lines folded; the raw view of the terminal has the log's own order. The lines of a
    traceback stay together, in their own order.
    """
    read = view.lines if view.is_raw else [view.patterns.read(line) for line in view.lines]
    messages = [view.privacy.mask(line.message) if view.privacy else line.message for line in read]
    groups = _as_written(view) if view.is_raw else _fold(read, messages)
    shown = [_group_text(group, view) for group in groups]
    fitting = shown if view.is_raw else _within(shown, PREFORMATTED_LIMIT)
    left_out = sum(len(entry) for group in groups[len(fitting) :] for entry in group)
    findings = finding_blocks(TITLE, view.findings) if view.findings else []
    headline = _headline(view)
    blocks: list[Block] = [*findings, section(headline)]
    blocks += [preformatted("\n".join(fitting))] if fitting else [section(_nothing(view))]
    reveal = _reveal(view, messages)
    blocks += [context(*_notes(view, left_out, has_masked=bool(reveal))), *reveal]
    blocks += actions(_buttons(view))
    text, fitted = fit_message("\n".join([*_finding_lines(view), headline]), blocks)
    status = worst(view.findings) if view.findings else Status.OK
    return Answer(text, blocks if view.is_raw else fitted, _data(view, messages), status, private=True)


def _reveal(view: LogView, messages: Sequence[str]) -> list[Block]:
    """Buttons that show a masked line in full to people with permission, newest lines first."""
    if view.is_raw:
        return []
    kind = "build" if view.is_build else "log"
    about = f"{kind} {view.service.short} {view.choice.deployment.id}"
    pairs = [pair for pair in zip(view.lines, messages, strict=True) if is_masked(pair[1])]
    labels = [(f"{clock_seconds(line.timestamp)} {message}", f"{about} {line_key(line)}") for line, message in pairs]
    return reveal_buttons(labels[::-1], until=view.reveal_until)


def _finding_lines(view: LogView) -> list[str]:
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


def _notes(view: LogView, left_out: int, *, has_masked: bool) -> list[str]:
    order = "Times are UTC." if view.is_raw else "Newest first, times are UTC."
    notes = [note for note in (order, view.notice, MASKED if has_masked else None) if note]
    return [*notes, f"… {counted(left_out, 'older line')} did not fit"] if left_out else notes


def _buttons(view: LogView) -> list[Block]:
    short, link = view.service.short, view.choice.deployment.link
    buttons = [
        command_button("Errors only", f"logs {short} @level:error"),
        command_button("Explain", f"ask what does the log of {short} show?"),
        command_button("Deployments", f"deployments {short}"),
    ]
    return [*buttons, link_button("Open in Railway", link)] if link and is_web_address(link) else buttons


def _as_written(view: LogView) -> list[list[_Entry]]:
    return [[[(line, line.message)]] for line in view.lines]


def _fold(lines: Sequence[LogLine], messages: Sequence[str]) -> list[list[_Entry]]:
    """Group consecutive equal entries, newest group first; within a group the oldest entry is first."""
    entries = [[(lines[index], messages[index]) for index in entry] for entry in split_entries(lines)]
    return [list(group) for _, group in groupby(entries, key=_fold_key)][::-1]


def _fold_key(entry: _Entry) -> list[tuple[str, str]]:
    return [(line.severity, message) for line, message in entry]


def _group_text(group: Sequence[_Entry], view: LogView) -> str:
    """ "06:46:12 info [a1b2] No pending jobs found", the newest entry; then the count and time span of a folded group.

    The further lines of the entry follow below, in their own order.
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
    """The last lines that fit, because a traceback ends with the error."""
    lines = [
        f"{_indented(line.message)}{plain(message, limit=LINE_LIMIT)}" for line, message in pairs if message.strip()
    ]
    kept = _within(lines[::-1], ENTRY_LIMIT)[::-1]
    return kept if len(kept) == len(lines) else [f"  … {counted(len(lines) - len(kept), 'line')}", *kept]


def _indented(message: str) -> str:
    own = len(message) - len(message.lstrip())
    return "  " + " " * min(own, MOST_INDENTED)


def _within(lines: Sequence[str], size: int) -> list[str]:
    kept: list[str] = []
    for line in lines:
        size -= len(line) + 1
        if size < 0:
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


LINES = 30
MOST_LINES = 200


@dataclass(frozen=True)
class Wanted:
    """The parsed command. `filter`: in Railway's syntax: words, `@level:error`, quoted phrases."""

    service: Service
    filter: str
    failed: bool
    build: bool
    lines: int


@dataclass(frozen=True)
class Read:
    """Lines read. `lines`: as requested. `newest`: without the filter; they show whether a failure is over."""

    lines: Sequence[LogLine]
    newest: Sequence[LogLine] | Unavailable
    is_build: bool = False


async def answer_logs(request: Request, world: World) -> Answer:
    words, is_raw = take_raw(request)
    wanted = parse(words)
    notice = await record_raw(world, "logs", tuple(words)) if is_raw else None
    chosen = await _choose(wanted, world)
    if isinstance(chosen, Unavailable):
        return unavailable_answer(f"logs of {wanted.service.short}", chosen)
    choice, state = chosen
    async with asyncio.TaskGroup() as reads:
        log_read = reads.create_task(_read(wanted, choice, world))
        due = reads.create_task(read_due(world))
    read = log_read.result()
    if isinstance(read, Unavailable):
        return unavailable_answer(f"logs of {wanted.service.short}", read)
    current = state.current if state else None
    facts = Facts(
        wanted.service,
        read.newest,
        datetime.now(UTC),
        due.result()[wanted.service],
        state=state,
        is_current=current is not None and current.id == choice.deployment.id,
        patterns=PATTERNS_BY_NAME[world.system.log_patterns],
    )
    privacy = None if is_raw else world.settings.log_privacy
    # In a thread, because masking is slow.
    return await asyncio.to_thread(_answer, wanted, choice, read, facts, privacy=privacy, notice=notice)


def _answer(
    wanted: Wanted, choice: Choice, read: Read, facts: Facts, *, privacy: Privacy | None, notice: str | None
) -> Answer:
    findings = () if read.is_build else check(facts)
    shown = read.lines[-wanted.lines :]
    view = LogView(
        wanted.service,
        choice,
        findings,
        shown,
        wanted.filter,
        is_build=read.is_build,
        privacy=privacy,
        reveal_until=reveal_until(),
        notice=notice,
        patterns=facts.patterns,
    )
    return logs_answer(view)


def parse(words: Sequence[str]) -> Wanted:
    """Parse the words: a service, options anywhere after it, and the rest as the filter. Raises UsageError."""
    service = need_service(words, "logs ingest")
    rest, flags, lines = list(words[1:]), set(), LINES
    filters: list[str] = []
    while rest:
        match rest.pop(0):
            case "--failed" | "--build" as flag:
                flags.add(flag)
            case "-n" | "--lines" as option:
                if not rest:
                    raise wrong_word(option, "needs a number after it", "For example `logs ingest -n 50`.")
                lines = parse_count(rest.pop(0), largest=MOST_LINES)
            case option if option.startswith("--"):
                raise wrong_word(option, "is not an option", "Options are `--failed`, `--build` and `-n 50`.")
            case word:
                filters.append(f'"{word}"' if " " in word else word)
    return Wanted(service, " ".join(filters), "--failed" in flags, "--build" in flags, lines)


async def _choose(wanted: Wanted, world: World) -> tuple[Choice, ServiceState | None] | Unavailable:
    async with asyncio.TaskGroup() as reads:
        services = reads.create_task(world.railway_services())
        deployments = reads.create_task(world.ask_railway(RailwayClient.list_deployments, wanted.service))
    state, listed = find_state(services.result(), wanted.service), deployments.result()
    if isinstance(state, Unavailable):
        return state
    if isinstance(listed, Unavailable):
        return listed
    choice = choose(state, listed, failed=wanted.failed)
    if choice is None:
        raise _no_deployment(wanted)
    return choice, state


async def _read(wanted: Wanted, choice: Choice, world: World) -> Read | Unavailable:
    """Read the log; the build log if requested, or if the failed deployment has no other lines."""
    deployment = choice.deployment
    if not wanted.build:
        read = await _read_own(wanted, deployment.id, world)
        if isinstance(read, Unavailable) or read.lines or not deployment.status.is_failed or wanted.filter:
            return read
    build = await world.ask_railway(RailwayClient.read_build_logs, deployment.id, limit=wanted.lines)
    return build if isinstance(build, Unavailable) else Read(_matching(build, wanted.filter), build, is_build=True)


async def _read_own(wanted: Wanted, deployment_id: str, world: World) -> Read | Unavailable:
    async with asyncio.TaskGroup() as reads:
        newest = reads.create_task(world.ask_railway(RailwayClient.read_logs, deployment_id, limit=DIGEST_LINES))
        matching = wanted.filter and reads.create_task(
            world.ask_railway(RailwayClient.read_logs, deployment_id, limit=wanted.lines, filter=wanted.filter)
        )
    shown = matching.result() if matching else newest.result()
    return shown if isinstance(shown, Unavailable) else Read(shown, newest.result())


def _matching(lines: Sequence[LogLine], text: str) -> list[LogLine]:
    """The lines with all words of the filter; Railway can't filter build logs."""
    words = text.replace('"', "").lower().split()
    return [line for line in lines if all(word in line.message.lower() for word in words)]


def _no_deployment(wanted: Wanted) -> OperatorError:
    """The error if there is no deployment; only a usage error if `--failed` finds none."""
    short, step = wanted.service.short, f"See `deployments {wanted.service.short}`."
    if wanted.failed:
        return UsageError(
            f"{short} has no failed deployment", why="none of its latest deployments failed", what_next=step
        )
    return OperatorError(f"{short} has no deployment", why="it was never deployed", what_next=step)
