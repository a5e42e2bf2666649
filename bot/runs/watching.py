"""How a step looks or waits: until it is so, until it cannot come right any more, or until its time is up."""

from __future__ import annotations

import time
from datetime import timedelta

from bot.runs.acting import Acting
from bot.runs.tools import Watch
from bot.runs.turn import Outcome, Turn
from bot.runs.verdicts import Broken, Done, Unseen, Waiting
from services.domain.runs import StepState
from services.domain.words import age


async def look_until_so(watch: Watch, turn: Turn) -> Outcome | None:
    """How the step ended; None when it is left to a successor. Raises LostRunError, and SourceError of the database."""
    async with turn.journal.writing() as conn:
        await turn.journal.start(conn, turn.row.position)
    limit_s = turn.settings.patience_s if watch.timeout_s is None else watch.timeout_s
    end = time.monotonic() + max(limit_s - turn.elapsed_s, 0.0)
    while True:
        is_last = time.monotonic() >= end
        sight = await watch.look()
        match sight:
            case Done(note, evidence, proved):
                return Outcome(StepState.DONE if proved else StepState.NOT_PROVED, note, evidence)
            case Broken():
                return await _remedied(watch, turn, sight)
        if turn.is_stopping:
            return turn.stopped()
        if is_last:
            return _too_late(watch, sight, limit_s)
        await turn.progress(sight.note)
        await turn.pause(until=end)


def _too_late(watch: Watch, sight: Waiting | Unseen, limit_s: float) -> Outcome:
    within = age(timedelta(seconds=limit_s))
    if isinstance(sight, Unseen):
        return Outcome(watch.unseen, f"could not be seen within {within}: {sight.note}")
    return Outcome(StepState.FAILED, f"not within {within}: {sight.note}")


async def _remedied(watch: Watch, turn: Turn, broken: Broken) -> Outcome | None:
    """It failed; what the step has against that is done first."""
    remedy = watch.remedy()
    if remedy is None:
        return Outcome(StepState.FAILED, broken.note, broken.evidence)
    await turn.progress(broken.note)
    done = await Acting(remedy, turn, journaled=False).run()
    if done is None:
        return None
    state = StepState.UNKNOWN if done.state is StepState.UNKNOWN else StepState.FAILED
    return Outcome(state, f"{broken.note}; {done.note}", {**broken.evidence, **done.evidence})
