"""Answers a question in steps: the model chooses reads, the bot runs them, the model writes claims, a program checks
them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from bot.assistant.catalogue import Read, choose
from bot.assistant.check import Checked, Claim, check
from bot.assistant.evidence import Line, collect, unknown_sources
from bot.assistant.model import NoModelAnswerError
from bot.assistant.prompts import (
    MAX_NEXT,
    MAX_OUTPUT_TOKENS_CHOOSE,
    MAX_OUTPUT_TOKENS_WRITE,
    WRITE,
    ChosenReads,
    WrittenAnswer,
    choose_prompt,
    choose_text,
    read_reads,
    read_written,
    reads_of,
    write_text,
)
from services.clients.openai import Question
from services.domain.errors import OperatorError, SourceError
from services.domain.incidents import Incident
from services.domain.systems import System

TOTAL_S = 20.0  # for the model's part; the answer by rules is shown before it
TOO_LATE = "the model took too long"
STOP_CHECK_S = 0.5


@dataclass(frozen=True)
class ReadResult:
    """The output of a read, as a terminal shows it. `is_private`: only the requester may see it."""

    text: str
    is_private: bool


AskModel = Callable[[Question], Awaitable[str]]  # raises NoModelAnswerError
RunRead = Callable[[Read], Awaitable[ReadResult]]
Steps = Callable[[str], Awaitable[None]]
IsStopped = Callable[[], Awaitable[bool]]


@dataclass
class ModelPart:
    """The result of the model's part. `why_not`: why there are no claims, as a clause; empty if `outcome` is
    "checked"."""

    outcome: str = "checked"
    why_not: str = ""
    checked: Checked = field(default_factory=lambda: Checked((), ()))
    unknown: tuple[Line, ...] = ()
    next: tuple[Read, ...] = ()
    reads: list[Read] = field(default_factory=list)
    is_private: bool = False


class Answerer:
    """Makes one answer. `ask` asks the model, `step` shows people the current step, `run_read` runs a read with the
    requester's rights. `system`: the operated system."""

    def __init__(
        self,
        ask: AskModel,
        run_read: RunRead,
        step: Steps,
        is_stopped: IsStopped,
        system: System,
        *,
        total_s: float = TOTAL_S,
    ) -> None:
        self._system = system
        self._ask = ask
        self._run_read = run_read
        self._step = step
        self._is_stopped = is_stopped
        self._total_s = total_s
        self._part = ModelPart()

    async def answer(self, question: str, incident: Incident | None) -> ModelPart:
        """Return the model's part, within `total_s` or until the person presses Stop. Never raises for what the model
        does."""
        task = asyncio.create_task(self._answer(question, incident))
        stop = asyncio.create_task(self._wait_for_stop())
        try:
            done, _ = await asyncio.wait({task, stop}, timeout=self._total_s, return_when=asyncio.FIRST_COMPLETED)
            if task in done:
                task.result()
            elif stop in done:
                self._fail("stopped", "stopped")
            else:
                self._fail("too_late", TOO_LATE)
        except NoModelAnswerError as error:
            self._fail(error.outcome, error.why)
        except (OperatorError, SourceError) as error:
            self._fail("failed", error.why)
        finally:
            for one in (task, stop):
                one.cancel()
            await asyncio.gather(task, stop, return_exceptions=True)
        return self._part

    def _fail(self, outcome: str, why: str) -> None:
        self._part = replace(self._part, outcome=outcome, why_not=why, checked=Checked((), ()), next=())

    async def _wait_for_stop(self) -> None:
        while True:
            await asyncio.sleep(STOP_CHECK_S)
            with suppress(SourceError):
                if await self._is_stopped():
                    return

    async def _answer(self, question: str, incident: Incident | None) -> None:
        await self._step("choosing what to read")
        system, has_incident = self._system, incident is not None
        wanted = read_reads(await self._ask(_choosing(question, incident, system)), system)
        if wanted is None:
            raise NoModelAnswerError("refused", "its answer was not usable")
        lines = await self._read(choose(wanted, system, has_incident=has_incident), ())
        await self._step(f"checking {len(lines)} lines")
        written = await self._write(question, incident, lines, may_read_more=True)
        more = choose(reads_of(written.more, system), system, has_incident=has_incident, done=self._part.reads)
        if more:
            lines = await self._read(more, lines)
            await self._step(f"checking {len(lines)} lines")
            written = await self._write(question, incident, lines, may_read_more=False)
        self._part.checked = check(_claims(written), lines, question=question)
        self._part.unknown = unknown_sources(lines)
        self._part.next = choose(reads_of(written.next, system), system, has_incident=has_incident)[:MAX_NEXT]

    async def _read(self, reads: Sequence[Read], before: Sequence[Line]) -> tuple[Line, ...]:
        """Run the reads; return the earlier lines and theirs, each with its own id."""
        if not reads:
            return tuple(before)
        await self._step(f"reading {', '.join(read.line for read in reads)}")
        self._part.reads += reads
        results = await asyncio.gather(*map(self._run_read, reads))
        self._part.is_private = self._part.is_private or any(one.is_private for one in results)
        shown = [(read.line, one.text) for read, one in zip(reads, results, strict=True)]
        return (*before, *await asyncio.to_thread(collect, shown, first=len(before) + 1))

    async def _write(
        self, question: str, incident: Incident | None, lines: Sequence[Line], *, may_read_more: bool
    ) -> WrittenAnswer:
        text = write_text(question, incident, lines, may_read_more=may_read_more)
        asked = Question(WRITE, text, WrittenAnswer, MAX_OUTPUT_TOKENS_WRITE)
        written = read_written(await self._ask(asked))
        if written is None:
            raise NoModelAnswerError("refused", "its answer was not usable")
        return written


def _choosing(question: str, incident: Incident | None, system: System) -> Question:
    return Question(choose_prompt(system), choose_text(question, incident), ChosenReads, MAX_OUTPUT_TOKENS_CHOOSE)


def _claims(written: WrittenAnswer) -> list[Claim]:
    return [one.claim for one in written.claims]
