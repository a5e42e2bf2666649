"""`ask <question>`: an answer by rules, and by a model where one is configured and the policy allows it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.approvals.decisions import person_of
from bot.assistant.answerer import Answerer, ModelPart, ReadResult
from bot.assistant.answers import Shown, Written, ask_answer
from bot.assistant.catalogue import Read, ReadVerb, reads_for, services_in
from bot.assistant.model import Model, PaidCalls, Spent
from bot.assistant.rules import answer_by_rules
from bot.commands.dispatch import run
from bot.commands.model_access import ModelAccess
from bot.facts.changes import gather_recent_changes
from bot.facts.doctor import gather_doctor
from bot.types import Answer, Request, Surface
from bot.views.terminal import answer_text
from bot.views.text import plain, utc
from playbooks import doctor
from playbooks.recent_changes import recent_changes
from services.clients.postgres.asks import is_ask_stopped
from services.domain.errors import OperatorError, SourceError, UsageError
from services.domain.masking import mask_message
from services.domain.services import find_service

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.world import World
    from services.clients.postgres.pool import Database


QUESTION_LIMIT = 500  # characters
NOT_STORED = "The database is down, so no model was asked and nothing was recorded."


async def answer_ask(request: Request, world: World, approval_service: ApprovalService | None) -> Answer:
    """Answer by rules at once; add the model's claims after they are checked."""
    question = plain(mask_message(" ".join(request.words)), limit=QUESTION_LIMIT)
    question += "?" if request.is_question and question[-1:] not in ("", "?") else ""
    if not question:
        example = "ask why is ingest slow?"
        raise UsageError("What do you want to know?", why="the question is missing", what_next=f"Write `{example}`.")
    return await _Ask(question, request, world, approval_service).answer()


class _Ask:
    """Work on one question, from the first shown progress to the record of its cost."""

    def __init__(self, question: str, request: Request, world: World, approval_service: ApprovalService | None) -> None:
        self._request = request
        self._world = world
        self._person = person_of(request.actor)
        self._access = ModelAccess(world, approval_service, self._person, request.channel_id)
        self._spent = Spent()
        offered = reads_for(question, world.system, has_incident=request.incident is not None)[1:]
        hint = request.unknown_command
        self._shown = Shown(
            question,
            step="reading every check",
            offered=offered,
            hint=hint.what_next if hint and hint.choices else "",
            choices=hint.choices if hint else (),
        )

    async def answer(self) -> Answer:
        await self._show()
        report = await self._report()
        self._shown = replace(self._shown, rules=answer_by_rules(report, self._asked_about(), self._world.system))
        ask_id = await self._access.begin()
        model, why_not = await self._access.usable_model() if ask_id is not None else (None, NOT_STORED)
        self._shown = replace(self._shown, ask_id=ask_id)
        if model is None or ask_id is None:
            self._shown = replace(self._shown, step="", note=why_not)
            await self._record(ModelPart("rules"))
            return ask_answer(self._shown)
        return await self._answer_with(model, ask_id)

    async def _answer_with(self, model: Model, ask_id: int) -> Answer:
        database = self._need_database()
        user_id = self._person.user_id if self._person else None
        calls = PaidCalls(model, database, ask_id=ask_id, user_id=user_id)
        answerer = Answerer(
            calls.ask, self._run_read, self._step, lambda: _is_stopped(database, ask_id), self._world.system
        )
        part = await answerer.answer(self._shown.question, self._request.incident)
        self._spent = calls.spent
        written = Written(
            model.name,
            self._spent.usage.tokens,
            self._spent.usd,
            part.checked,
            part.unknown,
            part.next,
            part.why_not,
        )
        self._shown = replace(self._shown, step="", written=written)
        await self._record(part)
        if not part.is_private:
            return ask_answer(self._shown)
        if self._request.progress is not None:
            await self._request.progress(ask_answer(replace(self._shown, is_elsewhere=True)))
        return replace(ask_answer(self._shown), private=True)

    async def _show(self) -> None:
        if self._request.progress is not None:
            await self._request.progress(ask_answer(self._shown))

    async def _step(self, words: str) -> None:
        self._shown = replace(self._shown, step=words)
        await self._show()

    async def _report(self) -> doctor.Report:
        facts = await gather_doctor(self._world)
        return await asyncio.to_thread(doctor.report, facts)

    def _asked_about(self) -> str:
        """The question; in an incident's thread with the incident's services, unless the question names others."""
        incident = self._request.incident
        names = [found.short for name in (incident.services if incident else ()) if (found := find_service(name))]
        words = self._shown.question
        return words if services_in(words, self._world.system) else f"{words} {' '.join(names)}"

    async def _run_read(self, read: Read) -> ReadResult:
        """Run a read as if the requester had typed it. It changes nothing."""
        if read.verb is ReadVerb.RECENT_CHANGES:
            return ReadResult(await _recent_changes(self._world), is_private=False)
        request = Request(
            surface=Surface.TERMINAL,  # the whole answer, not cut to the size of a message
            actor=self._request.actor,
            incident=self._request.incident,
        )
        try:
            answer = await run(read.line, request, self._world)
        except (OperatorError, SourceError) as error:
            return ReadResult(f"❔ {read.line} unknown — {error.why}", is_private=True)
        return ReadResult(answer_text(answer), answer.private)

    async def _record(self, part: ModelPart) -> None:
        """Store the outcome and its audit row. Nothing is stored without the database; no model was asked then."""
        if self._shown.ask_id is None:
            return
        written = self._shown.written
        try:
            await self._access.record(
                self._shown.ask_id,
                question=self._shown.question,
                reads=["doctor", *(read.line for read in part.reads)],
                outcome=part.outcome,
                model=written.model if written else None,
                spent=self._spent,
                proved=len(part.checked.proved),
                dropped=len(part.checked.dropped),
            )
        except SourceError as error:
            self._shown = replace(self._shown, note=f"This question was not recorded: {error.why}.")

    def _need_database(self) -> Database:
        if self._world.database is None:
            raise SourceError("database", "not configured")
        return self._world.database


async def _is_stopped(database: Database, ask_id: int) -> bool:
    async with database.read() as conn:
        return await is_ask_stopped(conn, ask_id=ask_id)


async def _recent_changes(world: World) -> str:
    changes = recent_changes(await gather_recent_changes(world))
    lines = [f"{utc(one.at)} · {one.words}" for one in changes.happenings]
    unknown = [f"❔ unknown: {words}" for words in changes.unknown]
    return "\n".join([*lines, *unknown]) or "No deployments, migrations or runs in the last 2 h."
