"""How a run ended and how it left the system, in one paragraph of plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from playbooks._steps import RemoveSample, Step, UploadSample
from playbooks.golden_path import CLEAN
from services.domain.deployments import ServiceState
from services.domain.errors import Unavailable
from services.domain.migrations import MigrationStatus
from services.domain.runs import RunState, RunStep, StepState
from services.domain.services import Service
from services.domain.sha import short_sha
from services.domain.words import counted

_FINE = (StepState.DONE, StepState.NOT_PROVED)
_NOT_PROVED = "Done, but not proved"


def outcome_words(
    state: RunState, steps: Sequence[RunStep], *, planned: int, cancelled_by: str | None = None, standing: str
) -> str:
    """How a run ended. `planned`: how many steps the plan has; those after them were added by a fall back."""
    if len(steps) <= planned:
        return _outcome_words(state, steps, cancelled_by=cancelled_by, standing=standing)
    failed = _where(steps[:planned])
    if state is RunState.FAILED and all(step.state in _FINE for step in steps[planned:]):
        return f"Stopped at {failed}. Nothing was changed, so what had been stopped was started again. {standing}"
    then = _outcome_words(state, steps[planned:], cancelled_by=cancelled_by, standing=standing)
    return f"Stopped at {failed}. What had been stopped was to start again: {then[:1].lower()}{then[1:]}"


def standing_words(services: Sequence[Service], states: Mapping[Service, ServiceState] | Unavailable) -> str:
    """ "ingest runs 2 of 3 replicas of c45e17a9." — how the system was left."""
    if isinstance(states, Unavailable):
        return f"How the services stand cannot be read ({states})."
    known = [_standing(states[service]) for service in services if service in states]
    return f"{'; '.join(known)}." if known else ""


def sample_words(steps: Sequence[RunStep]) -> str:
    """What became of the test batch of a golden path, and who takes away what may be left of it; "" for other runs."""
    upload, removal = (_last_of(steps, kind) for kind in (UploadSample, RemoveSample))
    if removal is None or removal.state is not StepState.DONE:
        has_begun = upload is not None and upload.state not in (StepState.PENDING, StepState.SKIPPED)
        return f"Its test batch may be there still: `{CLEAN}` takes it away." if has_begun else ""
    note, is_found = removal.note or "", (removal.evidence or {}).get("removed")
    is_doubtful = upload is not None and upload.state in (StepState.FAILED, StepState.UNKNOWN) and not is_found
    late = f" Should the upload arrive late: `{CLEAN}`." if is_doubtful else ""
    return f"{note[:1].upper()}{note[1:]}.{late}"


def _last_of(steps: Sequence[RunStep], kind: type[Step]) -> RunStep | None:
    return next((step for step in reversed(steps) if step.step.get("kind") == kind.__name__), None)


def schema_words(status: MigrationStatus | Unavailable) -> str:
    """ "The schema stands at 20251201009000." — how the database was left."""
    if isinstance(status, Unavailable):
        return f"How the schema stands cannot be read ({status})."
    return f"The schema stands at {status.head or 'no migration at all'}."


def is_proved(outcome: str | None) -> bool:
    """Whether what a successful run says of itself holds no doubt; of one that says nothing, nobody knows better."""
    return outcome is None or not outcome.startswith(_NOT_PROVED)


def _outcome_words(state: RunState, steps: Sequence[RunStep], *, cancelled_by: str | None, standing: str) -> str:
    done = sum(step.state in _FINE for step in steps)
    match state:
        case RunState.SUCCEEDED:
            missing = [step.note or f"step {step.position + 1}" for step in steps if step.state is StepState.NOT_PROVED]
            return f"{_NOT_PROVED}: {'; '.join(missing)}." if missing else "Done, and every step is proved."
        case RunState.CANCELLED:
            return (
                f"Cancelled by {cancelled_by or 'somebody'} after {done} of {counted(len(steps), 'step')}. {standing}"
            )
        case RunState.UNKNOWN:
            return f"Nobody can tell what became of {_where(steps)}. {standing}"
        case _:
            return f"Stopped at {_where(steps)}. {standing}"


def _where(steps: Sequence[RunStep]) -> str:
    """ "step 3 of 9: not within 180 s", of the first that is not fine."""
    row = next((step for step in steps if step.state not in _FINE), None)
    where = f"step {row.position + 1} of {steps[-1].position + 1}" if row else "its end"
    return f"{where}: {(row.note if row else None) or 'no reason was written down'}"


def _standing(state: ServiceState) -> str:
    current = state.current
    running = current.running_instances if current else 0
    if state.unknown is not None:
        return f"how {state.service.short} stands is unknown ({state.unknown})"
    wanted = "an unknown number of" if state.replicas_configured is None else str(state.replicas_configured)
    if state.is_stopped:
        return f"{state.service.short} is stopped"
    sha = short_sha(current.commit_sha if current else None)
    return f"{state.service.short} runs {running} of {wanted} replicas of {sha}"
