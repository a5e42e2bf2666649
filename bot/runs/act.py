"""Executes one step: an act (check, record the intent, send once, read back), or a wait until a condition holds.

An act is sent again only when it is certain that nothing was done, or when reading back showed that it did not happen;
an unknown outcome stops the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from bot.config.timing import RunSettings
from bot.runs.executor import (
    Act,
    Before,
    Done,
    Drifted,
    Failed,
    Json,
    NotApplied,
    ReadBack,
    Ready,
    Unknown,
    Waiting,
    WaitStep,
)
from bot.runs.journal import Journal
from services.clients.postgres.pool import Connection
from services.domain.errors import SourceError
from services.domain.runs import RunStep, StepState
from services.domain.text import age


@dataclass(frozen=True)
class Outcome:
    """The result of a step. `note`: plain words for people."""

    state: StepState
    note: str = ""
    evidence: Json = field(default_factory=dict)


@dataclass
class Cancellation:
    """Requests to end the execution: a person cancels the run, or this process shuts down. `changed` wakes waiting
    code."""

    cancel: bool = False
    leave: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def wish(self, *, cancel: bool = False, leave: bool = False) -> None:
        self.cancel = self.cancel or cancel
        self.leave = self.leave or leave
        if self.cancel or self.leave:
            self.changed.set()


@dataclass(frozen=True)
class StepContext:
    """Context of one step. `elapsed_s`: how long it has been under way by the database's clock. `progress` shows a note
    meanwhile.

    `poll_s` returns the pause between two checks: longer if Railway's rate limit is low. `held_back` returns why the
    run may not begin to change anything, in the transaction that writes its first intent; None once it has begun.
    """

    journal: Journal
    settings: RunSettings
    row: RunStep
    cancellation: Cancellation
    elapsed_s: float
    progress: Callable[[str], Awaitable[None]]
    poll_s: Callable[[], float]
    held_back: Callable[[Connection], Awaitable[str | None]] | None = None

    @property
    def is_stopping(self) -> bool:
        return self.cancellation.cancel or self.cancellation.leave

    async def pause(self, *, until: float | None = None) -> None:
        """Wait until the next check, a cancellation or `until` (time.monotonic()), whichever comes first."""
        wait_s = self.poll_s() if until is None else min(self.poll_s(), max(until - time.monotonic(), 0.0))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self.cancellation.changed.wait()

    async def pause_whatever(self) -> None:
        """Wait until the next check, even after a cancellation: an act in progress is followed to its end."""
        await asyncio.sleep(self.poll_s())

    def stopped(self) -> Outcome | None:
        """Outcome of a step that ends because the run is cancelled; None if another replica is to continue it."""
        return Outcome(StepState.SKIPPED, "cancelled before it finished") if self.cancellation.cancel else None


_NOTHING_FOLLOWED = "it was accepted, but took no effect"


class ActExecution:
    """Executes one act. `journaled` False: a remedy within a running step; it can be repeated safely, and is read
    back."""

    def __init__(self, act: Act[Any], step_context: StepContext, *, journaled: bool = True) -> None:
        self._act = act
        self._step_context = step_context
        self._settings = step_context.settings
        self._journaled = journaled
        self._silences = 0  # calls whose outcome is unknown

    async def run(self) -> Outcome | None:
        """Execute the act; None if another replica is to continue. Raises LostRunError, and SourceError for the
        database.

        A best-effort act never fails: it ends as NOT_PROVED.
        """
        async with self._step_context.journal.during_act():
            fresh = self._step_context.row.state is StepState.PENDING or not self._journaled
            outcome = await (self._begin() if fresh else self._recover())
        blocked = outcome is not None and outcome.state in (StepState.FAILED, StepState.UNKNOWN)
        if outcome is not None and blocked and self._act.best_effort:
            return Outcome(StepState.NOT_PROVED, f"{outcome.note}: {self._act.consequence}", outcome.evidence)
        return outcome

    async def _begin(self) -> Outcome | None:
        if self._step_context.row.intent and self._journaled:  # a person chose retry: it may have happened after all
            readback = await self._act.read_back(self._step_context.row.intent)
            if isinstance(readback, Done):
                return _done(readback)
        before = await self._check_before()
        if self._step_context.is_stopping:
            return self._step_context.stopped()
        match before:
            case Ready(intent):
                return await self._send(intent)
            case Done():
                return _done(before)
            case Drifted(note):
                return Outcome(StepState.FAILED, f"not done: {note}")
            case Unknown(note):
                return Outcome(StepState.FAILED, f"not done, because the current state cannot be read: {note}")

    async def _recover(self) -> Outcome | None:
        """Continue an act whose intent another replica wrote, and perhaps sent, before this one took the lease."""
        intent = self._step_context.row.intent or {}
        answered = self._step_context.row.state is StepState.RUNNING
        await self._step_context.progress("reading back whether it was done before this replica took over")
        readback = await self._read_back(intent, within_s=self._settings.settle_after_takeover_s)
        match readback:
            case Done():
                return _done(readback)
            case Unknown(note):
                return Outcome(StepState.UNKNOWN, f"it may have happened: {note}")
            case NotApplied(note) if answered:
                return Outcome(StepState.FAILED, await self._with_part(intent, f"{_NOTHING_FOLLOWED}: {note}"))
            case NotApplied():
                return await self._stopped(intent) if self._step_context.is_stopping else await self._send(intent)

    async def _send(self, intent: Json) -> Outcome | None:
        give_up_at = time.monotonic() + self._settings.patience_s
        is_new = True
        while True:
            deadline = await self._permit(intent if is_new else None)
            if isinstance(deadline, Outcome):
                return deadline
            is_new = False
            try:
                proof = await self._act.send(intent, deadline)
            except SourceError as error:
                outcome = await self._handle_failure(error, intent, give_up_at)
            else:
                return _done(proof) if proof else await self._confirm(intent)
            if outcome is not None:
                return outcome
            if self._step_context.is_stopping:
                return await self._stopped(intent)
            await self._step_context.pause()

    async def _permit(self, intent: Json | None) -> float | Outcome:
        """Record a new intent; return the moment until which the call may start, so that it ends before the lease does.

        Returns the outcome instead if the run may not begin. Raises LostRunError.
        """
        journal, held_back = self._step_context.journal, self._step_context.held_back
        async with journal.writing() as conn:
            why = await held_back(conn) if held_back is not None and intent is not None else None
            if why is not None:
                return Outcome(StepState.FAILED, f"not done: {why}")
            if intent is not None and self._journaled:
                await journal.intend(conn, self._step_context.row.position, intent)
        return journal.held_until - self._settings.call_timeout_s

    async def _handle_failure(self, error: SourceError, intent: Json, give_up_at: float) -> Outcome | None:
        """Outcome of a failed call; None: nothing was done, and it may be sent again."""
        if not error.outcome_unknown:
            may_again = error.retryable and time.monotonic() < give_up_at
            return None if may_again else Outcome(StepState.FAILED, await self._with_part(intent, f"not done: {error}"))
        self._silences += 1
        await self._step_context.progress(f"{error}; reading back whether it was done anyway")
        readback = await self._read_back(intent, within_s=self._settings.settle_s)
        match readback:
            case Done():
                words = f"{readback.note}; {error.source} had not answered".lstrip("; ")
                return _done(Done(words, readback.evidence, readback.proved))
            case Unknown(note):
                return Outcome(StepState.UNKNOWN, f"it may have been done ({error.why}): {note}")
            case NotApplied(note) if self._silences >= self._settings.sends:
                words = f"sent {self._silences} times without an answer, and it took no effect: {note}"
                return Outcome(StepState.UNKNOWN, await self._with_part(intent, words))
            case NotApplied():
                return None

    async def _confirm(self, intent: Json) -> Outcome | None:
        """Wait until an accepted act shows: Railway may accept one and do nothing."""
        journal = self._step_context.journal
        async with journal.writing() as conn:
            await journal.start(conn, self._step_context.row.position)
        await self._step_context.progress("accepted; waiting until it takes effect")
        readback = await self._read_back(intent, within_s=self._settings.confirm_s)
        match readback:
            case Done():
                return _done(readback)
            case NotApplied(note):
                return Outcome(StepState.FAILED, await self._with_part(intent, f"{_NOTHING_FOLLOWED}: {note}"))
            case Unknown(note):
                return Outcome(StepState.UNKNOWN, f"it was accepted, but its effect cannot be read: {note}")

    async def _with_part(self, intent: Json, why: str) -> str:
        """Prefix the reason why the act did not happen with the part of it that was done."""
        part = await self._act.done_in_part(intent)
        return f"done in part, {part}; the rest is {why}" if part else why

    async def _stopped(self, intent: Json) -> Outcome | None:
        outcome = self._step_context.stopped()
        part = await self._act.done_in_part(intent) if outcome is not None else ""
        return replace(outcome, note=f"{outcome.note}, done in part: {part}") if outcome and part else outcome

    async def _check_before(self) -> Before:
        """Check before acting; a source that is away is asked again for `patience_s`."""
        give_up_at = time.monotonic() + self._settings.patience_s
        while True:
            before = await self._act.before()
            if not isinstance(before, Unknown) or self._step_context.is_stopping or time.monotonic() >= give_up_at:
                return before
            await self._step_context.progress(f"waiting for its precondition: {before.note}")
            await self._step_context.pause(until=give_up_at)

    async def _read_back(self, intent: Json, *, within_s: float) -> ReadBack:
        """Read back until the act is done; NotApplied counts after `within_s`, Unknown after `patience_s`."""
        began = time.monotonic()
        while True:
            readback = await self._act.read_back(intent)
            is_settled = isinstance(readback, NotApplied) or self._act.best_effort
            limit_s = within_s if is_settled else max(within_s, self._settings.patience_s)
            if isinstance(readback, Done) or time.monotonic() - began >= limit_s:
                return readback
            await self._step_context.pause_whatever()


def _done(readback: Done) -> Outcome:
    return Outcome(StepState.DONE if readback.proved else StepState.NOT_PROVED, readback.note, readback.evidence)


async def observe_until_done(wait_step: WaitStep[Any], step_context: StepContext) -> Outcome | None:
    """Wait until the step is done; None if another replica is to continue. Raises LostRunError, and SourceError for the
    database."""
    async with step_context.journal.writing() as conn:
        await step_context.journal.start(conn, step_context.row.position)
    limit_s = step_context.settings.patience_s if wait_step.timeout_s is None else wait_step.timeout_s
    end = time.monotonic() + max(limit_s - step_context.elapsed_s, 0.0)
    while True:
        is_last = time.monotonic() >= end
        sight = await wait_step.observe()
        match sight:
            case Done(note, evidence, proved):
                return Outcome(StepState.DONE if proved else StepState.NOT_PROVED, note, evidence)
            case Failed():
                return await _remedied(wait_step, step_context, sight)
        if step_context.is_stopping:
            return step_context.stopped()
        if is_last:
            return _too_late(wait_step, sight, limit_s)
        await step_context.progress(sight.note)
        await step_context.pause(until=end)


def _too_late(wait_step: WaitStep[Any], sight: Waiting | Unknown, limit_s: float) -> Outcome:
    within = age(timedelta(seconds=limit_s))
    if isinstance(sight, Unknown):
        return Outcome(wait_step.when_unknown, f"not confirmed within {within}: {sight.note}")
    return Outcome(StepState.FAILED, f"not within {within}: {sight.note}")


async def _remedied(wait_step: WaitStep[Any], step_context: StepContext, broken: Failed) -> Outcome | None:
    """End a failed wait step, after its remedy if it has one."""
    remedy = wait_step.remedy()
    if remedy is None:
        return Outcome(StepState.FAILED, broken.note, broken.evidence)
    await step_context.progress(broken.note)
    done = await ActExecution(remedy, step_context, journaled=False).run()
    if done is None:
        return None
    state = StepState.UNKNOWN if done.state is StepState.UNKNOWN else StepState.FAILED
    return Outcome(state, f"{broken.note}; {done.note}", {**broken.evidence, **done.evidence})
