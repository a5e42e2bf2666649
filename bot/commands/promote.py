"""`proof` and `promote`: offer a commit for deploy here that another environment has proved (docs/adr/0014)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bot.commands.arguments import no_more
from bot.commands.context import need_record, parse_run
from bot.config.environment import Settings, require
from bot.types import Answer, Request
from bot.views.blocks import actions, command_button, context, fit_message, section
from bot.views.findings import unavailable_answer
from bot.views.promotion import linked_run
from bot.views.text import code, date_token
from bot.world import World
from services.clients.postgres.messages import read_message_place
from services.domain.errors import OperatorError, Unavailable, UsageError
from services.domain.message_origin import slash
from services.domain.messages import message_link
from services.domain.promotion import PROOF, Proof, read_proof, sign, stored_proof, why_not_promoted, why_not_proved
from services.domain.runs import Run, RunStep
from services.domain.secrets import Secret
from services.domain.services import same_sha, short_sha


async def answer_proof(request: Request, world: World) -> Answer:
    """Answer `proof <run>` with the line for the other environment's bot."""
    run_id = parse_run(request.words, "proof 12")
    secret = _need_secret(world.settings, "There is no proof")
    found = await need_record(world, run_id)
    if isinstance(found, Unavailable):
        return unavailable_answer(f"run {run_id}", found)
    place = await world.read(read_message_place, key=found.run.message_key)
    link = None if isinstance(place, Unavailable) else message_link(world.workspace_url(), *place)
    return proof_answer(found.run, found.steps, secret, link=link)


def proof_answer(run: Run, steps: Sequence[RunStep], secret: Secret, *, link: str | None = None) -> Answer:
    """`link`: address of the run's message. Raises OperatorError for a run that proves nothing."""
    why = why_not_proved(run, steps)
    if why is not None or run.ended_at is None:
        raise OperatorError("There is no proof", why=why or "it has not ended", what_next="`runs` lists the deploys.")
    proof = Proof(
        environment=run.environment,
        command=slash().removeprefix("/"),
        scope=run.parameters["service"],
        sha=run.parameters["sha"],
        run_id=run.id,
        ended_at=run.ended_at,
        link=link,
    )
    word = sign(proof, secret)
    line = f"promote {word}"
    what = f"{proof.environment} proved {short_sha(proof.sha)}"
    first = f"✅ *{what}* ({proof.scope}): run {run.id}, {date_token(run.ended_at)}"
    blocks = [section(f"{first}\nType this to the other environment's bot:\n{code(line)}")]
    return Answer(*fit_message(first, blocks), {"line": line, "run": run.id, "sha": proof.sha})


async def answer_promote(request: Request, world: World) -> Answer:
    """Answer `promote <proof>`: verify it and offer the deploy, which is requested and approved as usual."""
    if not request.words:
        raise UsageError(
            "Which proof?",
            why="the other environment's bot writes it",
            what_next="Type `proof <run>` there, with the run that deployed the commit.",
        )
    no_more(request.words, 1)
    settings = world.settings
    secret = _need_secret(settings, "Nothing was promoted")
    return promote_answer(request.words[0], secret, require(settings.identity).environment, now=datetime.now(UTC))


def promote_answer(word: str, secret: Secret, environment: str, *, now: datetime) -> Answer:
    """Verify a proof and offer the deploy. Raises OperatorError for a proof that is not valid here."""
    proof = read_proof(word, secret)
    if proof is None:
        raise OperatorError(
            "Nothing was promoted",
            why="this is not a proof, or it was not signed with our PROMOTION_SECRET",
            what_next="Copy the whole line that `proof <run>` shows there. Both bots need the same PROMOTION_SECRET.",
        )
    why = why_not_promoted(proof, environment=environment, now=now)
    if why is not None:
        raise OperatorError("Nothing was promoted", why=why, what_next="Type `proof <run>` there for a newer deploy.")
    return _offer(proof, word, environment)


def need_promoted(word: str, settings: Settings, *, scope: str, sha: str, now: datetime) -> None:
    """Raise OperatorError for a proof that is not valid here, or that belongs to another deploy."""
    promote_answer(
        word, _need_secret(settings, "Nothing was deployed"), require(settings.identity).environment, now=now
    )
    proof = stored_proof(word)
    if proof is None or proof.scope != scope or not same_sha(proof.sha, sha):
        raise OperatorError(
            "Nothing was deployed",
            why="the proof is for another commit or other services",
            what_next="Press the button that `promote` shows, or leave out `proof`.",
        )


def _offer(proof: Proof, word: str, environment: str) -> Answer:
    line = f"deploy {proof.scope} {proof.sha} {PROOF} {word}"
    there = linked_run(proof)
    what = f"{proof.environment} proved {short_sha(proof.sha)} ({proof.scope})"
    first = f"✅ *{what}* {date_token(proof.ended_at)}; {environment} is not changed yet"
    blocks = [
        section(f"{first}\nIts run there: {there}"),
        *actions([command_button(f"Deploy to {environment}", line)]),
        context("It is requested, checked and approved here as any other deploy; the proof takes no approval's place."),
    ]
    data = {"environment": proof.environment, "run": proof.run_id, "sha": proof.sha, "line": line}
    return Answer(*fit_message(first, blocks), data)


def _need_secret(settings: Settings, what: str) -> Secret:
    """Return PROMOTION_SECRET. Raises OperatorError if it is not set."""
    secret = require(settings.changes).promotion_secret
    if secret is None:
        raise OperatorError(
            what,
            why="PROMOTION_SECRET is not set",
            what_next="Set the same 24 or more letters, digits, - or _ for both bots (`openssl rand -hex 24`).",
        )
    return secret
