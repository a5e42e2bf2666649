"""`logs <service> [filter] [--failed] [--build] [-n <lines>]`: what a deployment's log tells, and its newest lines."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.commands._arguments import need_service, parse_count, take_raw, wrong_word
from bot.commands._contract import Answer, Request
from bot.commands._raw import record_raw, reveal_until
from bot.commands._verbs import Command
from bot.facts.logs import DIGEST_LINES, read_due
from bot.views.findings import unavailable_answer
from bot.views.logs import LogView, logs_answer
from playbooks.checks.logs import Facts
from playbooks.logs import Choice, check, choose
from services.domain.deployments import LogLine, ServiceState, find_state
from services.domain.errors import OperatorError, Unavailable
from services.domain.privacy import Privacy
from services.domain.services import Service

if TYPE_CHECKING:
    from bot.facts import World

LINES = 30
MOST_LINES = 200


@dataclass(frozen=True)
class Wanted:
    """What was asked for. `filter` is Railway's own: words, `@level:error`, quoted phrases."""

    service: Service
    filter: str
    failed: bool
    build: bool
    lines: int


@dataclass(frozen=True)
class Read:
    """`lines`: those asked for. `newest`: without the filter, because only they show whether a failure is over."""

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
        told = reads.create_task(_read(wanted, choice, world))
        due = reads.create_task(read_due(world))
    read = told.result()
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
    )
    privacy = None if is_raw else world.settings.log_privacy
    # Masking takes its time.
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
    )
    return logs_answer(view)


def parse(words: Sequence[str]) -> Wanted:
    """Options may stand anywhere after the service; what is left is the filter. Raises UsageError."""
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
        deployments = reads.create_task(world.deployments(wanted.service))
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
    """The build's lines when they are asked for, or because the deployment never ran."""
    deployment = choice.deployment
    if not wanted.build:
        read = await _read_own(wanted, deployment.id, world)
        if isinstance(read, Unavailable) or read.lines or not deployment.status.is_failed or wanted.filter:
            return read
    build = await world.build_logs(deployment.id, limit=wanted.lines)
    return build if isinstance(build, Unavailable) else Read(_matching(build, wanted.filter), build, is_build=True)


async def _read_own(wanted: Wanted, deployment_id: str, world: World) -> Read | Unavailable:
    async with asyncio.TaskGroup() as reads:
        newest = reads.create_task(world.logs(deployment_id, limit=DIGEST_LINES))
        matching = wanted.filter and reads.create_task(
            world.logs(deployment_id, limit=wanted.lines, filter=wanted.filter)
        )
    shown = matching.result() if matching else newest.result()
    return shown if isinstance(shown, Unavailable) else Read(shown, newest.result())


def _matching(lines: Sequence[LogLine], text: str) -> list[LogLine]:
    """Railway's build logs take no filter from us; plain words are looked for here."""
    words = text.replace('"', "").lower().split()
    return [line for line in lines if all(word in line.message.lower() for word in words)]


def _no_deployment(wanted: Wanted) -> OperatorError:
    short = wanted.service.short
    what = f"{short} has no failed deployment" if wanted.failed else f"{short} has no deployment"
    why = "none of its latest deployments failed" if wanted.failed else "it was never deployed"
    return OperatorError(what, why=why, what_next=f"See `deployments {short}`.")


COMMAND = Command(
    name="logs",
    summary="what a service's log tells by the runbook's patterns, and its newest lines, masked",
    group="Services",
    handle=answer_logs,
    usage="<service> [filter] [--failed] [--build] [-n <lines>]",
    examples=("logs ingest", "logs api @level:error", 'logs ingest "Crash loop"', "logs enforcement --failed"),
    private=True,
)
