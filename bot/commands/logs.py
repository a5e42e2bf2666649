"""`logs <service> [filter] [--failed] [--build] [-n <lines>]`: the newest lines of a deployment's log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.commands._arguments import need_service, parse_count, take_raw, wrong_word
from bot.commands._contract import Answer, Command, Request
from bot.views.findings import unavailable_answer
from bot.views.logs import LogView, logs_answer
from playbooks.logs import Choice, choose
from services.domain.deployments import LogLine
from services.domain.errors import OperatorError, Unavailable
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


async def answer_logs(request: Request, world: World) -> Answer:
    words, is_raw = take_raw(request)
    wanted = parse(words)
    choice = await _choose(wanted, world)
    if isinstance(choice, Unavailable):
        return unavailable_answer(f"logs of {wanted.service.short}", choice)
    read = await _read(wanted, choice, world)
    if isinstance(read, Unavailable):
        return unavailable_answer(f"logs of {wanted.service.short}", read)
    lines, is_build = read
    view = LogView(wanted.service, choice, lines, wanted.filter, is_build=is_build, is_raw=is_raw)
    return await asyncio.to_thread(logs_answer, view)  # masking many long lines takes its time


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


async def _choose(wanted: Wanted, world: World) -> Choice | Unavailable:
    async with asyncio.TaskGroup() as reads:
        services = reads.create_task(world.railway_services())
        deployments = reads.create_task(world.deployments(wanted.service))
    states, listed = services.result(), deployments.result()
    if isinstance(states, Unavailable):
        return states
    if isinstance(listed, Unavailable):
        return listed
    choice = choose(states.get(wanted.service), listed, failed=wanted.failed)
    if choice is None:
        raise _no_deployment(wanted)
    return choice


async def _read(wanted: Wanted, choice: Choice, world: World) -> tuple[list[LogLine], bool] | Unavailable:
    """The lines, and whether they are the build's: asked for, or because the deployment never ran."""
    deployment = choice.deployment
    if not wanted.build:
        lines = await world.logs(deployment.id, limit=wanted.lines, filter=wanted.filter)
        if lines or not deployment.status.is_failed or wanted.filter:
            return lines if isinstance(lines, Unavailable) else (lines, False)
    build = await world.build_logs(deployment.id, limit=wanted.lines)
    return build if isinstance(build, Unavailable) else (_matching(build, wanted.filter), True)


def _matching(lines: list[LogLine], text: str) -> list[LogLine]:
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
    summary="the newest log lines of a service, masked",
    group="Services",
    handle=answer_logs,
    usage="<service> [filter] [--failed] [--build] [-n <lines>]",
    examples=("logs ingest", "logs api @level:error", 'logs ingest "Crash loop"', "logs enforcement --failed"),
    private=True,
)
