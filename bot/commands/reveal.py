"""`reveal <log|build> <service> <deployment> <line> <until>` and `reveal job <id> <until>`: one masked line, whole.

The buttons of `logs` and `failed-jobs` run it. It answers only an operator or an approver, only to them, and only until
the moment that the button carries; secrets stay hidden. The audit row is written first.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from bot.approvals.raw_rights import may_see_raw
from bot.approvals.rights import Refused
from bot.commands._arguments import parse_service, wrong_word
from bot.commands._contract import Answer, Request, Surface
from bot.commands._needs import need_actor, need_database, need_desk
from bot.commands._raw import REFUSED, REVEALED, record_reveal
from bot.commands._verbs import DeskCommand
from bot.facts.logs import DIGEST_LINES
from bot.settings import require
from bot.views.reveal import reveal_answer
from playbooks.logs import line_key
from services.domain.errors import OperatorError, SourceError, Unavailable, UsageError
from services.domain.runs import Person
from services.domain.services import Service

if TYPE_CHECKING:
    from bot.approvals.desk import Desk
    from bot.facts import World

_USAGE = "Press *Show the whole line* below an answer of `logs` or `failed-jobs`."
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Wanted:
    """`source`: "log", "build" or "job". `id`: of the deployment or the job. `line`: `line_key`, empty for a job."""

    source: str
    id: str
    until: int
    service: Service | None = None
    line: str = ""


async def answer_reveal(request: Request, world: World, desk: Desk | None) -> Answer:
    wanted = parse(request.words)
    if request.surface is Surface.TERMINAL:
        raise UsageError("Nothing was shown", why="a terminal has `--raw`", what_next="Add `--raw` to `logs`.")
    if time.time() > wanted.until:
        raise OperatorError("Nothing was shown", why="this button has expired", what_next=_again(wanted))
    person = await _permit(wanted, request, world, need_desk(desk))
    found = await (_read_job(wanted, world) if wanted.source == "job" else _read_line(wanted, world))
    await record_reveal(need_database(world), person.user_id, REVEALED, _details(wanted, person))
    return reveal_answer(found, source=wanted.source, service=wanted.service)


def parse(words: tuple[str, ...]) -> Wanted:
    """Raises UsageError for anything that no button of ours carries."""
    match list(words):
        case ["log" | "build" as source, service, deployment, line, until] if until.isdecimal() and len(until) < 12:
            return Wanted(source, deployment, int(until), parse_service(service), line)
        case ["job", job, until] if _UUID.fullmatch(job) and until.isdecimal() and len(until) < 12:
            return Wanted("job", job, int(until))
        case []:
            raise UsageError("Nothing was shown", why="no line is named", what_next=_USAGE)
        case _:
            raise wrong_word(" ".join(words), "names no line", _USAGE)


async def _permit(wanted: Wanted, request: Request, world: World, desk: Desk) -> Person:
    """Who asks, if they may. A refusal is recorded too."""
    actor = need_actor(request)
    person = Person(actor.user_id, actor.team_id)
    people = require(world.settings.people)
    verdict = may_see_raw(person, await desk.people(person.user_id), {*people.operators, *people.approvers})
    if isinstance(verdict, Refused):
        await record_reveal(need_database(world), person.user_id, REFUSED, _details(wanted, person))
        raise OperatorError("Nothing was shown", why=verdict.why, what_next=verdict.what_next)
    return person


async def _read_line(wanted: Wanted, world: World) -> str:
    read = world.build_logs if wanted.source == "build" else world.logs
    lines = await read(wanted.id, limit=DIGEST_LINES)
    if isinstance(lines, Unavailable):
        raise SourceError(lines.source, lines.why)
    found = next((line for line in lines if line_key(line) == wanted.line), None)
    return found.message if found else _gone(wanted)


async def _read_job(wanted: Wanted, world: World) -> str:
    error = await world.job_error(wanted.id)
    if isinstance(error, Unavailable):
        raise SourceError(error.source, error.why)
    return error or _gone(wanted)


def _gone(wanted: Wanted) -> NoReturn:
    raise OperatorError(
        "Nothing was shown",
        why=f"the line is not among the newest {DIGEST_LINES} any more" if wanted.line else "the job has no error now",
        what_next=_again(wanted),
    )


def _again(wanted: Wanted) -> str:
    line = f"logs {wanted.service.short}" if wanted.service else "failed-jobs"
    return f"Ask `{line}` again, and press the button of the new answer."


def _details(wanted: Wanted, person: Person) -> dict[str, object]:
    service = {"service": wanted.service.value} if wanted.service else {}
    return {"source": wanted.source, **service, "id": wanted.id, "line": wanted.line, "team": person.team_id}


COMMAND = DeskCommand(
    name="reveal",
    summary="show one masked line whole, to an operator or approver only; the audit log keeps who saw which",
    group="Services",
    handle=answer_reveal,
    usage="<what the button says>",
    examples=("reveal job 123e4567-e89b-12d3-a456-426614174000 1767225600",),
    private=True,
)
