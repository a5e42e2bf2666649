"""`reveal <log|build> <service> <deployment> <line> <until>`, `reveal job <id> <until>`: one masked line in full.

The buttons of `logs` and `failed-jobs` run it. It answers privately, only to operators and approvers, and only until
the time in the button; secrets stay hidden. The audit row is written first.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from bot.approvals.access import Refused, may_see_raw
from bot.commands.arguments import parse_service, wrong_word
from bot.commands.context import need_actor, need_approval_service, need_database
from bot.commands.sensitive import NOT_RECORDED, TERMINAL, login
from bot.config.environment import require
from bot.facts.logs import DIGEST_LINES
from bot.types import Answer, Block, Request, Surface
from bot.views.blocks import (
    PREFORMATTED_LIMIT,
    actions,
    command_button,
    command_select,
    context,
    fit_message,
    preformatted,
    section,
)
from bot.views.text import cut, plain
from playbooks.logs import line_key
from services.clients.postgres.audit import append_audit
from services.clients.postgres.operated import read_job_error
from services.clients.railway.client import RailwayClient
from services.domain.errors import OperatorError, SourceError, Unavailable, UsageError
from services.domain.masking import mask_message
from services.domain.people import Person
from services.domain.secret_shapes import hide_secrets
from services.domain.services import Service

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.world import World
    from services.clients.postgres.pool import Database


logger = logging.getLogger(__name__)

REVEAL, REVEALED, REFUSED, RAW = "reveal", "line.revealed", "line.reveal.refused", "raw.shown"
VALID_S = 15 * 60  # validity of a button, in seconds
_SKEW_S = 60  # allowed difference between the clocks of two replicas
_TIMEOUT_S = 3.0  # a person waits for this


async def record_reveal(database: Database, actor: str, event: str, details: Mapping[str, object]) -> None:
    """Append the audit row. Raises SourceError; then the caller must not show the line."""
    async with database.transaction(timeout_s=_TIMEOUT_S) as conn:
        await append_audit(conn, actor=actor, event=event, run_id=None, details=details)


async def record_raw(world: World, command: str, words: tuple[str, ...]) -> str | None:
    """Record that a terminal showed unmasked lines. Returns a sentence for the answer if that failed, else None.

    The lines are shown anyway: the person at the terminal has the tokens to read them elsewhere.
    """
    details = {"command": command, "words": mask_message(" ".join(words)), "login": login()}
    if world.database is None:
        return NOT_RECORDED.format(why="no database is configured")
    try:
        await record_reveal(world.database, TERMINAL, RAW, details)
    except SourceError as error:
        logger.warning("`%s --raw` was not recorded: %s", command, error.why)
        return NOT_RECORDED.format(why=error.why)
    return None


def reveal_until() -> int:
    """Unix time at which a button that is shown now expires."""
    return int(time.time()) + VALID_S


LABEL = "Show the whole line"
MOST = 20  # newest lines offered below one answer
NOTE = "Only you see this, and the audit log records it. Secrets stay hidden; Railway has the whole log."


def reveal_answer(text: str, *, source: str, service: Service | None) -> Answer:
    """The line as preformatted text, which Slack does not parse; line breaks are kept."""
    lines = [plain(line, limit=PREFORMATTED_LIMIT) for line in hide_secrets(text).splitlines()]
    where = f"log of {service.short}" if service else "failed job"
    headline = f"*The whole {'error' if source == 'job' else 'line'}* · {where}"
    blocks = [section(headline), preformatted(cut("\n".join(lines), PREFORMATTED_LIMIT)), context(NOTE)]
    return Answer(*fit_message(headline, blocks), {"source": source}, private=True)


def reveal_buttons(items: Sequence[tuple[str, str]], *, until: int) -> list[Block]:
    """A button, or a menu for several lines. `items`: (masked line, arguments of `reveal` but `until`), newest first.

    `until`: Unix time at which the buttons expire.
    """
    offered = [(label, f"reveal {words} {until}") for label, words in items[:MOST]]
    if not offered:
        return []
    if len(offered) == 1:
        return actions([command_button(LABEL, offered[0][1])])
    return actions([command_select(f"{LABEL}…", offered)])


_USAGE = "Press *Show the whole line* below an answer of `logs` or `failed-jobs`."
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Wanted:
    """A parsed `reveal`. `source`: "log", "build" or "job". `id`: of deployment or job. `line`: its key; job: empty."""

    source: str
    id: str
    until: int
    service: Service | None = None
    line: str = ""


async def answer_reveal(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    wanted = parse(request.words)
    if request.surface is Surface.TERMINAL:
        raise UsageError("Nothing was shown", why="a terminal uses `--raw` instead", what_next="Add `--raw` to `logs`.")
    if time.time() > wanted.until:
        raise OperatorError("Nothing was shown", why="this button has expired", what_next=_retry_words(wanted))
    person = await _permit(wanted, request, world, need_approval_service(approval_service))
    if wanted.until > time.time() + VALID_S + _SKEW_S:
        raise OperatorError("Nothing was shown", why="no button was made at this time", what_next=_retry_words(wanted))
    found = await (_read_job(wanted, world) if wanted.source == "job" else _read_line(wanted, world))
    await record_reveal(need_database(world), person.user_id, REVEALED, _details(wanted, person))
    return reveal_answer(found, source=wanted.source, service=wanted.service)


def parse(words: tuple[str, ...]) -> Wanted:
    """Parse the arguments of a button. Raises UsageError for other words."""
    match list(words):
        case ["log" | "build" as source, service, deployment, line, until] if until.isdecimal() and len(until) < 12:
            return Wanted(source, deployment, int(until), parse_service(service), line)
        case ["job", job, until] if _UUID.fullmatch(job) and until.isdecimal() and len(until) < 12:
            return Wanted("job", job, int(until))
        case []:
            raise UsageError("Nothing was shown", why="no line is named", what_next=_USAGE)
        case _:
            raise wrong_word(" ".join(words), "does not name a line", _USAGE)


async def _permit(wanted: Wanted, request: Request, world: World, approval_service: ApprovalService) -> Person:
    """Return the requester. Raises OperatorError, after recording the refusal, if they have no permission."""
    actor = need_actor(request)
    person = Person(actor.user_id, actor.team_id)
    people = require(world.settings.people)
    verdict = may_see_raw(person, await approval_service.people(person.user_id), {*people.operators, *people.approvers})
    if isinstance(verdict, Refused):
        await approval_service.record_refusal(person, REVEAL, _details(wanted, person), verdict, event=REFUSED)
        raise OperatorError("Nothing was shown", why=verdict.why, what_next=verdict.what_next)
    return person


async def _read_line(wanted: Wanted, world: World) -> str:
    if wanted.source == "build":
        lines = await world.ask_railway(RailwayClient.read_build_logs, wanted.id, limit=DIGEST_LINES)
    else:
        lines = await world.ask_railway(RailwayClient.read_logs, wanted.id, limit=DIGEST_LINES)
    if isinstance(lines, Unavailable):
        raise SourceError(lines.source, lines.why)
    found = next((line for line in lines if line_key(line) == wanted.line), None)
    return found.message if found else _gone(wanted)


async def _read_job(wanted: Wanted, world: World) -> str:
    error = await world.read(read_job_error, job_id=wanted.id)
    if isinstance(error, Unavailable):
        raise SourceError(error.source, error.why)
    return error or _gone(wanted)


def _gone(wanted: Wanted) -> NoReturn:
    raise OperatorError(
        "Nothing was shown",
        why=f"the line is not among the newest {DIGEST_LINES} any more" if wanted.line else "the job has no error now",
        what_next=_retry_words(wanted),
    )


def _retry_words(wanted: Wanted) -> str:
    line = f"logs {wanted.service.short}" if wanted.service else "failed-jobs"
    return f"Ask `{line}` again, and press the button of the new answer."


def _details(wanted: Wanted, person: Person) -> dict[str, object]:
    service = {"service": wanted.service.value} if wanted.service else {}
    return {"source": wanted.source, **service, "id": wanted.id, "line": wanted.line, "team": person.team_id}
