"""A run's outcome and the resulting state of the system, in words; and the notice to the requester."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.views.plan import LINE_LIMIT
from bot.views.text import escape, mention, person, with_short_ids
from playbooks.golden_path import CLEAN
from playbooks.steps import RemoveSample, Step, UploadSample
from playbooks.stored_steps import kind_of
from services.domain.database import MigrationStatus
from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.runs import (
    IN_DOUBT,
    Decision,
    Run,
    RunState,
    RunStep,
    StepState,
)
from services.domain.services import Service, short_sha
from services.domain.text import counted

_WORDS = {
    RunState.SUCCEEDED: "done",
    RunState.FAILED: "failed",
    RunState.CANCELLED: "cancelled",
    RunState.EXPIRED: "expired",
    RunState.VOIDED: "void",
}


def ended_line(run: Run, decisions: Sequence[Decision]) -> str | None:
    """ "@olivia: denied by @ann: not during the import · Restart api (run 7)", in mrkdwn; None if no notification is
    needed."""
    who = run.requested_by
    if who is None or not run.state.is_final or _ended_it_themselves(run):
        return None
    title = escape(run.title, limit=LINE_LIMIT)
    return with_short_ids(
        f"{mention(who.user_id)}: {_outcome_clause(run, decisions).rstrip('.')} · *{title}* (run {run.id})"
    )


def _ended_it_themselves(run: Run) -> bool:
    return run.state is RunState.CANCELLED and run.cancel_requested_by == run.requested_by


def _outcome_clause(run: Run, decisions: Sequence[Decision]) -> str:
    denial = next((one for one in decisions if not one.approve), None)
    if denial is not None:
        return f"denied by {person(denial.person)}{f': {_short(denial.reason)}' if denial.reason else ''}"
    word = _WORDS[run.state]
    outcome = _short(run.outcome or "")
    if not outcome or (run.state is RunState.SUCCEEDED and not run.is_in_doubt):
        return word  # the run's message has the proofs
    return outcome if outcome.lower().startswith(word) else f"{word}: {outcome}"


def _short(words: str) -> str:
    return escape(words, limit=LINE_LIMIT)


_FINE = (StepState.DONE, StepState.NOT_PROVED)


def outcome_words(
    state: RunState, steps: Sequence[RunStep], *, planned: int, cancelled_by: str | None = None, standing: str
) -> str:
    """The run's outcome. `planned`: number of the plan's steps; later steps were added by a fallback."""
    if len(steps) <= planned:
        return _outcome_words(state, steps, cancelled_by=cancelled_by, standing=standing)
    failed = _failed_step(steps[:planned])
    if state is RunState.FAILED and all(step.state in _FINE for step in steps[planned:]):
        return f"Stopped at {failed}. Nothing was changed, and the stopped services were started again. {standing}"
    then = _outcome_words(state, steps[planned:], cancelled_by=cancelled_by, standing=standing)
    return f"Stopped at {failed}. Starting the stopped services again: {then[:1].lower()}{then[1:]}"


def standing_words(services: Sequence[Service], states: Mapping[Service, ServiceState] | Unavailable) -> str:
    """ "ingest runs 2 of 3 replicas of c45e17a9.": the state of the services after the run."""
    if isinstance(states, Unavailable):
        return f"The state of the services cannot be read ({states})."
    known = [_standing(states[service]) for service in services if service in states]
    return f"{'; '.join(known)}." if known else ""


def sample_words(steps: Sequence[RunStep]) -> str:
    """The state of a golden path's test batch, with the command that removes what is left; "" for other runs."""
    upload, removal = (_last_of(steps, kind) for kind in (UploadSample, RemoveSample))
    if removal is None or removal.state is not StepState.DONE:
        has_begun = upload is not None and upload.state not in (StepState.PENDING, StepState.SKIPPED)
        return f"Its test batch may still exist: `{CLEAN}` removes it." if has_begun else ""
    note, is_found = removal.note or "", (removal.evidence or {}).get("removed")
    is_doubtful = upload is not None and upload.state in (StepState.FAILED, StepState.UNKNOWN) and not is_found
    late = f" If the upload arrives late: `{CLEAN}`." if is_doubtful else ""
    return f"{note[:1].upper()}{note[1:]}.{late}"


def _last_of(steps: Sequence[RunStep], kind: type[Step]) -> RunStep | None:
    return next((step for step in reversed(steps) if kind_of(step.step) is kind), None)


def schema_words(status: MigrationStatus | Unavailable) -> str:
    """ "The schema is at 20251201009000.": the state of the database after the run."""
    if isinstance(status, Unavailable):
        return f"The schema version cannot be read ({status})."
    return f"The schema is at {status.head or 'no migration at all'}."


def _outcome_words(state: RunState, steps: Sequence[RunStep], *, cancelled_by: str | None, standing: str) -> str:
    done = sum(step.state in _FINE for step in steps)
    match state:
        case RunState.SUCCEEDED:
            missing = [step.note or f"step {step.position + 1}" for step in steps if not step.is_proved]
            return f"{IN_DOUBT}: {'; '.join(missing)}." if missing else "Done, and every step is proved."
        case RunState.CANCELLED:
            who = cancelled_by or "an operator"
            return f"Cancelled by {who} after {done} of {counted(len(steps), 'step')}. {standing}"
        case RunState.UNKNOWN:
            return f"The outcome is unknown at {_failed_step(steps)}. {standing}"
        case _:
            return f"Stopped at {_failed_step(steps)}. {standing}"


def _failed_step(steps: Sequence[RunStep]) -> str:
    """ "step 3 of 9: not within 180 s", for the first step that did not succeed."""
    row = next((step for step in steps if step.state not in _FINE), None)
    where = f"step {row.position + 1} of {steps[-1].position + 1}" if row else "its end"
    return f"{where}: {(row.note if row else None) or 'no reason was recorded'}"


def _standing(state: ServiceState) -> str:
    current = state.current
    running = current.running_instances if current else 0
    if state.unknown is not None:
        return f"the state of {state.service.short} is unknown ({state.unknown})"
    wanted = "an unknown number of" if state.replicas_configured is None else str(state.replicas_configured)
    if state.is_stopped:
        return f"{state.service.short} is stopped"
    sha = short_sha(current.commit_sha if current else None)
    return f"{state.service.short} runs {running} of {wanted} replicas of {sha}"
