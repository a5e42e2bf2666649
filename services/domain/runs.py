"""Runs, steps and their states (docs/states.md); decisions, reviews and self-approval.

The database enforces the same transitions (`chatops.run_may_become` and `step_may_become`); a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from services.domain.audit import AuditRow
from services.domain.people import Person


@dataclass(frozen=True)
class SelfApproval:
    """The self-approval of one request, made inside an incident by a person who may approve such changes. Times are the
    database's.

    called_at: when the approvers were paged. open_at: from then on the requester may start the countdown. offered_at:
    when the button was offered. starts_at: the end of the countdown; None while none runs, as is `reason`.
    """

    run_id: int
    incident_id: int
    called_at: datetime
    open_at: datetime
    offered_at: datetime | None = None
    reason: str | None = None
    starts_at: datetime | None = None

    @property
    def due_at(self) -> datetime | None:
        """The leader's next act: at the end of the countdown, or when the button is due; None if neither is pending."""
        return self.starts_at or (self.open_at if self.offered_at is None else None)


class RunState(StrEnum):
    """The state of a run. UNKNOWN: an act's outcome could not be read back, and a person has to decide."""

    PLANNED = "planned"  # waits for its requester's own confirmation only
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"  # by a person, a denial or a run that pre-empted it; `outcome` says which
    EXPIRED = "expired"
    VOIDED = "voided"  # the approved plan is no longer what would happen
    UNKNOWN = "unknown"

    @property
    def is_final(self) -> bool:
        return not TRANSITIONS[self]


_GIVEN_UP = frozenset({RunState.CANCELLED, RunState.EXPIRED, RunState.VOIDED})
UNDECIDED = frozenset({RunState.PLANNED, RunState.AWAITING_APPROVAL})  # these wait for people
WAITING = frozenset({RunState.PLANNED, RunState.AWAITING_APPROVAL, RunState.APPROVED})  # not started yet

TRANSITIONS: Mapping[RunState, frozenset[RunState]] = MappingProxyType(
    {
        RunState.PLANNED: _GIVEN_UP | {RunState.APPROVED},
        RunState.AWAITING_APPROVAL: _GIVEN_UP | {RunState.APPROVED},
        RunState.APPROVED: _GIVEN_UP | {RunState.RUNNING},
        # Voided only before the first step.
        RunState.RUNNING: frozenset(
            {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.UNKNOWN, RunState.VOIDED}
        ),
        RunState.UNKNOWN: frozenset({RunState.RUNNING, RunState.FAILED, RunState.CANCELLED}),
        **{state: frozenset() for state in (RunState.SUCCEEDED, RunState.FAILED, *_GIVEN_UP)},
    }
)


class StepState(StrEnum):
    """The state of a step. INTENDED: the intent is in the journal, and the act may have been sent."""

    PENDING = "pending"
    INTENDED = "intended"
    RUNNING = "running"
    DONE = "done"
    NOT_PROVED = "not_proved"  # probably done, but nothing proves it
    FAILED = "failed"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


MARKED_DONE = "marked done by a person"  # begins the note of a step that only a person marked done
IN_DOUBT = "Done, but not proved"  # begins the outcome of a run that succeeded without full proof

_BY_ID = re.compile(r"(?:(?<=\bby )|(?<=\bsays ))a person \(([UW][A-Z0-9]+)\)")


def note_words(text: str, name_of: Callable[[str], str] = lambda _: "a person") -> str:
    """ "marked done by Ben Osei": replace the stored Slack ids of people who decided about steps with their names."""
    return _BY_ID.sub(lambda found: name_of(found[1]), text)


def split_note(text: str) -> list[str]:
    """Split a note into words and Slack ids in turn, words first and last: ["marked done by ", "U0BEN000001", ""]."""
    return _BY_ID.split(text)


_ENDED = frozenset({StepState.DONE, StepState.NOT_PROVED, StepState.FAILED, StepState.SKIPPED})

STEP_TRANSITIONS: Mapping[StepState, frozenset[StepState]] = MappingProxyType(
    {
        StepState.PENDING: frozenset({StepState.INTENDED, StepState.RUNNING, StepState.SKIPPED}),
        StepState.INTENDED: _ENDED | {StepState.RUNNING, StepState.UNKNOWN},
        StepState.RUNNING: _ENDED | {StepState.UNKNOWN},
        # A person decides: it is done, try it again, or give up.
        StepState.UNKNOWN: frozenset({StepState.DONE, StepState.PENDING, StepState.FAILED}),
        **{state: frozenset() for state in _ENDED},
    }
)


@dataclass(frozen=True, kw_only=True)
class RequestedRun:
    """The request of a run, as it is before and after it is stored.

    plan: `encode_plan`'s dict. plan_hash: 64 hexadecimal characters. requested_by: None if it came from a terminal.
    services: full names, which the run locks while it runs. kinds: the names of its step kinds; with `format` they show
    a replica whether it can execute the run. approvals_needed: how many distinct people have to approve. start_at: not
    before this moment; None: as soon as it is approved. pages_approvers: whether its approvers are mentioned and paged;
    False: one message counts it with others.
    """

    state: RunState
    environment: str
    playbook: str
    parameters: Mapping[str, str]
    plan: Mapping[str, Any]
    plan_hash: str
    risk: str
    title: str
    services: tuple[str, ...]
    requested_by: Person | None
    reason: str
    channel: str
    approvals_needed: int
    kinds: tuple[str, ...]
    format: int
    start_at: datetime | None = None
    pages_approvers: bool = True


@dataclass(frozen=True, kw_only=True)
class NewRun(RequestedRun):
    """A plan to be stored as a run.

    expires_at_s: seconds from now until the request expires; an approval gives the run as long again to start.
    delivery: the key of the delivery that requested it; one delivery stores one run, however often it is retried. None
    if not known.
    """

    expires_at_s: float
    delivery: str | None = None


@dataclass(frozen=True, kw_only=True)
class Run(RequestedRun):
    """A stored run. Times are the database's, timezone-aware. `outcome` is one plain sentence about how it ended."""

    id: int
    created_at: datetime
    expires_at: datetime
    approved_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    cancel_requested_by: Person | None
    outcome: str | None

    @property
    def is_scheduled(self) -> bool:
        """True if it is approved and waits for its start time."""
        return self.state is RunState.APPROVED and self.start_at is not None

    @property
    def was_denied(self) -> bool:
        """True if an approver denied it; that is stored as cancelled, with an outcome that begins with "denied"."""
        return self.state is RunState.CANCELLED and (self.outcome or "").startswith("denied")

    @property
    def is_in_doubt(self) -> bool:
        """True if it succeeded but its outcome says that something is not proved. `is_proved` reads the steps."""
        return self.state is RunState.SUCCEEDED and (self.outcome or "").startswith(IN_DOUBT)

    @property
    def message_key(self) -> str:
        return run_message_key(self.id)


def run_message_key(run_id: int) -> str:
    """The outbox key of a run's message."""
    return f"run:{run_id}"


def run_lease(run_id: int) -> str:
    """The name of the lease that a replica holds while it executes the run."""
    return f"run:{run_id}"


@dataclass(frozen=True)
class RunStep:
    """One line of the journal. `step` is `encode_step`'s dict; `position` counts from 0.

    intent: the state that was read right before the act was sent. evidence: the proof of the outcome. note: plain
    words.
    """

    run_id: int
    position: int
    step: Mapping[str, Any]
    state: StepState
    intent: Mapping[str, Any] | None
    evidence: Mapping[str, Any] | None
    note: str | None
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def is_proved(self) -> bool:
        """True if the outcome was read back; False if a person marked the step done."""
        return self.state is StepState.DONE and not (self.note or "").startswith(MARKED_DONE)


def is_proved(state: RunState, steps: Sequence[RunStep]) -> bool:
    """True if a run in this state, with these steps, proved all that it did; False if its steps are not kept."""
    return state is RunState.SUCCEEDED and bool(steps) and all(step.is_proved for step in steps)


@dataclass(frozen=True)
class OpenRun:
    """A run that is approved or running. `is_claimable`: a replica may claim it now."""

    run_id: int
    playbook: str
    is_claimable: bool


@dataclass(frozen=True)
class PreemptedRun:
    """A run that another one pre-empted. An act that it sent may still take effect for `may_act_for_s` seconds."""

    run_id: int
    may_act_for_s: float


@dataclass(frozen=True)
class Decision:
    """A decision on a run. `plan_hash`: the plan that the person saw; `policy_hash`: the policy that permitted it."""

    run_id: int
    person: Person
    approve: bool
    reason: str
    plan_hash: str
    policy_hash: str
    decided_at: datetime


@dataclass(frozen=True)
class Review:
    """The review of one run, open until a person other than `acted_by` has written a note. Times are the database's."""

    run_id: int
    acted_by: Person
    asked_at: datetime
    reviewed_by: Person | None = None
    note: str | None = None
    reviewed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.reviewed_at is None


@dataclass(frozen=True)
class Record:
    """Everything stored about one run: `steps` in their order, `decisions` and `audit` oldest first.

    `review`: None for a run that was approved. `self_approval`: None for a run that can't be self-approved.
    """

    run: Run
    steps: Sequence[RunStep] = ()
    decisions: Sequence[Decision] = ()
    audit: Sequence[AuditRow] = ()
    review: Review | None = None
    self_approval: SelfApproval | None = None
