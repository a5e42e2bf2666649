"""The decisions of the run engine: a run's next action, and the difference between its approved and its new plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.runs.decide import FallBack, difference, find_doubt, next_action, poll_every
from playbooks.change_parts import fall_back, starts_stopped
from playbooks.model import NoPlan, Risk
from playbooks.plan import Plan
from playbooks.schema_gate import MIGRATIONS_UNKNOWN, unexamined_lines
from playbooks.steps import (
    ApplySqlFile,
    CheckDatabaseReady,
    RemoveSample,
    RestartDeployment,
    ScaleService,
    Step,
    StopService,
    VerifyHeartbeats,
    VerifySchemaHead,
)
from playbooks.stored_steps import encode_step
from services.domain.errors import Unavailable
from services.domain.runs import RunState, RunStep, StepState
from services.domain.services import Service


def journal(*states: StepState, note: str | None = None) -> list[RunStep]:
    return [
        RunStep(1, n, {"kind": "CheckDatabaseReady"}, state, None, None, note, None, None)
        for n, state in enumerate(states)
    ]


def plan(*steps: Step) -> Plan:
    return Plan("prod", "scale", {"service": "ingest", "to": "2"}, steps, Risk.LOW, "Scale ingest: 1 → 2")


DONE, NOT_PROVED, PENDING = StepState.DONE, StepState.NOT_PROVED, StepState.PENDING


@pytest.mark.parametrize(
    ("states", "move"),
    [
        ([DONE, NOT_PROVED], RunState.SUCCEEDED),
        ([DONE, StepState.FAILED, PENDING], RunState.FAILED),
        ([DONE, StepState.UNKNOWN, PENDING], RunState.UNKNOWN),
        ([DONE, StepState.SKIPPED, PENDING], RunState.CANCELLED),
        ([DONE, PENDING, PENDING], 1),
        ([DONE, StepState.INTENDED, PENDING], 1),
        ([StepState.RUNNING, PENDING], 0),
    ],
)
def test_next_is_the_first_step_that_is_not_fine(states: list[StepState], move: RunState | int) -> None:
    steps = journal(*states)

    assert next_action(steps, planned=len(steps), cancel=False) == (steps[move] if isinstance(move, int) else move)


@pytest.mark.parametrize(
    ("states", "cancel", "move"),
    [
        ([DONE, StepState.FAILED, PENDING, PENDING], False, 3),
        ([DONE, StepState.SKIPPED, PENDING, PENDING], True, 3),
        ([DONE, PENDING, PENDING, PENDING], True, 3),
        ([DONE, DONE, DONE, PENDING], True, 3),
        ([DONE, PENDING, PENDING, PENDING], False, 1),
        ([DONE, StepState.INTENDED, PENDING, PENDING], True, 1),
        ([DONE, StepState.UNKNOWN, PENDING, PENDING], False, RunState.UNKNOWN),
        ([DONE, StepState.FAILED, PENDING, DONE], False, RunState.FAILED),
        ([DONE, StepState.FAILED, PENDING, StepState.FAILED], False, RunState.FAILED),
        ([DONE, StepState.SKIPPED, PENDING, DONE], True, RunState.CANCELLED),
        ([DONE, DONE, DONE, DONE], False, RunState.SUCCEEDED),
    ],
)
def test_a_sample_is_removed_before_its_run_ends(states: list[StepState], cancel: bool, move: RunState | int) -> None:
    steps = [*journal(*states[:-1]), replace(journal(states[-1])[0], step=encode_step(RemoveSample(None)))]

    assert next_action(steps, planned=len(steps), cancel=cancel) == (steps[move] if isinstance(move, int) else move)


@pytest.mark.parametrize(
    ("states", "move"),
    [([DONE, PENDING], RunState.CANCELLED), ([DONE, StepState.INTENDED], 1), ([DONE, DONE], RunState.SUCCEEDED)],
)
def test_cancelled_run_ends_between_steps_and_never_within_an_act(
    states: list[StepState], move: RunState | int
) -> None:
    steps = journal(*states)

    assert next_action(steps, planned=len(steps), cancel=True) == (steps[move] if isinstance(move, int) else move)


def sql_failed(then: StepState, *instead: StepState) -> list[RunStep]:
    """The journal of a stop, SQL that failed, its next step (in state `then`), and the fallback's steps (`instead`)."""
    steps = (StopService(Service.INGEST, "d", 2), ApplySqlFile("2", "c", "2"), VerifySchemaHead("1"))
    states = (DONE, StepState.FAILED, then, *instead)
    kinds = [encode_step(step) for step in (*steps, *fall_back(steps, 1))]
    return [RunStep(1, n, kinds[n], state, None, None, None, None, None) for n, state in enumerate(states)]


def test_a_step_that_failed_without_a_change_falls_back_once() -> None:
    steps = sql_failed(PENDING)

    move = next_action(steps, planned=3, cancel=False)

    assert isinstance(move, FallBack)
    assert move.steps[0] == VerifySchemaHead("2")
    assert next_action(steps, planned=3, cancel=True) is RunState.FAILED


@pytest.mark.parametrize(
    ("instead", "move"),
    [
        ([PENDING, PENDING], 3),
        ([DONE, PENDING], 4),
        ([DONE, DONE], RunState.FAILED),
        ([StepState.FAILED, PENDING], RunState.FAILED),
        ([DONE, StepState.UNKNOWN], RunState.UNKNOWN),
    ],
)
def test_a_fallback_continues_and_the_run_still_fails(instead: list[StepState], move: RunState | int) -> None:
    steps = sql_failed(StepState.SKIPPED, *instead)

    assert next_action(steps, planned=3, cancel=False) == (steps[move] if isinstance(move, int) else move)


def test_starting_again_can_be_cancelled() -> None:
    steps = sql_failed(StepState.SKIPPED, DONE, PENDING)

    assert next_action(steps, planned=3, cancel=True) is RunState.CANCELLED


def test_same_plan_is_no_difference_and_neither_is_a_missing_fact() -> None:
    approved = plan(CheckDatabaseReady(), ScaleService(Service.INGEST, 1, 2))

    assert difference(approved, plan(*approved.steps)) is None
    assert difference(approved, NoPlan("Railway is needed", "try again", is_unknown=True)) is None


def test_same_steps_that_became_critical_are_a_difference() -> None:
    approved = plan(ScaleService(Service.INGEST, 1, 2))
    now = replace(approved, risk=Risk.CRITICAL, warnings=("destructive: 1_a drops table a (line 1)",))

    assert difference(approved, now) == "it became critical: destructive: 1_a drops table a (line 1)"
    assert difference(now, replace(approved, risk=Risk.HIGH)) is None


def test_start_of_a_service_that_was_stopped_after_the_approval_is_a_difference() -> None:
    """The steps stay the same, because a stop keeps the deployment that the deploy refers to."""
    approved = replace(plan(RestartDeployment(Service.INGEST, "d-1")), warnings=("the queue grows",))
    now = replace(approved, warnings=(starts_stopped(Service.INGEST, "deploy"), "the queue shrinks"))

    assert difference(approved, now) == "ingest is stopped, and a deploy starts it"
    assert difference(now, now) is None
    assert difference(now, approved) is None


def test_find_doubt_reports_what_became_unknown_since_the_approval() -> None:
    approved = plan(CheckDatabaseReady())
    unknown = replace(approved, warnings=(f"{MIGRATIONS_UNKNOWN}: timeout",))
    unexamined = replace(approved, warnings=tuple(unexamined_lines(["1_a"], Unavailable("schema", "no parser"))))

    assert find_doubt(approved, NoPlan("Railway is needed", "try again", is_unknown=True)) == "Railway is needed"
    assert find_doubt(approved, unknown) == unknown.warnings[0]
    assert find_doubt(approved, unexamined) == unexamined.warnings[0]
    assert find_doubt(approved, replace(approved, warnings=("the queue grows",))) is None
    assert find_doubt(approved, NoPlan("ingest has 2 replicas already", "nothing to do")) is None
    other_words = replace(approved, warnings=(f"{MIGRATIONS_UNKNOWN}: refused",))
    assert find_doubt(unknown, other_words) is None, "the approvers knew it"


def test_difference_shows_changed_steps_side_by_side() -> None:
    approved = plan(ScaleService(Service.INGEST, 1, 2))

    changed = difference(approved, plan(ScaleService(Service.INGEST, 3, 2)))
    longer = difference(approved, plan(*approved.steps, VerifyHeartbeats(Service.INGEST, 2, 60)))

    assert changed is not None
    assert "approved: “" in changed
    assert longer is not None
    assert "nothing" in longer
    assert difference(approved, NoPlan("ingest has 2 replicas already", "nothing to do")) == (
        "ingest has 2 replicas already"
    )


def test_a_step_of_the_same_words_is_reported_by_what_it_rests_on() -> None:
    step = RestartDeployment(Service.API, "d-1")

    found = difference(plan(step), plan(replace(step, deployment_id="d-2"))) or ""

    assert found.startswith(f"“{step.describe()}”")
    assert found.endswith(": deployment id d-1 → d-2")


@pytest.mark.parametrize(
    ("limit", "seconds"), [(None, 2.0), (0, 2.0), (10_000, 2.0), (1_000, 14.4), (100, 30.0), (10**9, 2.0)]
)
def test_poll_every_stays_below_a_quarter_of_railways_limit(limit: int | None, seconds: float) -> None:
    assert poll_every(2.0, limit, elapsed_s=3600.0) == pytest.approx(seconds)


def test_poll_every_looks_soon_after_a_step_began_and_a_few_times_more_at_most() -> None:
    """A stop takes seconds and was noticed after 14 s; the reserve of the rate limit is for such read-backs."""
    elapsed_s, looks = 0.0, []
    while elapsed_s < 300.0:
        elapsed_s += poll_every(2.0, 1_000, elapsed_s=elapsed_s)
        looks.append(elapsed_s)

    assert looks[:5] == pytest.approx([2.0, 4.0, 6.0, 9.0, 13.5])
    assert len(looks) - 300.0 / 14.4 < 6


def test_poll_every_does_not_look_soon_for_as_long_as_a_clock_has_stepped_back() -> None:
    """A step whose start was 1 h in the future counted as new for that hour: 1,800 requests, with a limit of 1,000."""
    assert poll_every(2.0, 1_000, elapsed_s=-3600.0) == pytest.approx(14.4)
    assert poll_every(2.0, 1_000, elapsed_s=-0.01) == pytest.approx(2.0)


def test_poll_every_spends_nothing_more_of_a_small_limit() -> None:
    assert poll_every(2.0, 500, elapsed_s=0.0) == pytest.approx(28.8)
