"""What a run needs next, and what it comes to."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.runs.decide import difference, next_move, outcome_words, poll_every, standing_words
from playbooks._contract import NoPlan, Plan, Risk
from playbooks._steps import CheckDatabaseReady, RestartDeployment, ScaleService, Step, VerifyHeartbeats
from services.domain.deployments import Deployment, DeploymentStatus, Instance, ServiceState
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

    assert next_move(steps, cancel=False) == (steps[move] if isinstance(move, int) else move)


@pytest.mark.parametrize(
    ("states", "move"),
    [([DONE, PENDING], RunState.CANCELLED), ([DONE, StepState.INTENDED], 1), ([DONE, DONE], RunState.SUCCEEDED)],
)
def test_cancelled_run_ends_between_steps_and_never_within_an_act(
    states: list[StepState], move: RunState | int
) -> None:
    steps = journal(*states)

    assert next_move(steps, cancel=True) == (steps[move] if isinstance(move, int) else move)


def test_what_is_not_proved_is_named() -> None:
    steps = journal(DONE, NOT_PROVED, note="the log lacks: Entering main loop")

    assert outcome_words(RunState.SUCCEEDED, steps, cancelled_by=None, standing="") == (
        "Done, but not proved: the log lacks: Entering main loop."
    )


def test_cancelled_run_names_its_actor_and_how_the_system_was_left() -> None:
    words = outcome_words(
        RunState.CANCELLED,
        journal(DONE, PENDING),
        cancelled_by="U1",
        standing="ingest runs 2 of 3 replicas of a1b2c3d4.",
    )

    assert words == "Cancelled by U1 after 1 of 2 steps. ingest runs 2 of 3 replicas of a1b2c3d4."


def test_failed_run_says_where_and_why() -> None:
    steps = journal(DONE, StepState.FAILED, note="not within 180 s: 1 of 2 ingest workers beat")

    words = outcome_words(RunState.FAILED, steps, cancelled_by=None, standing="ingest is stopped.")

    assert words == "Stopped at step 2 of 2: not within 180 s: 1 of 2 ingest workers beat. ingest is stopped."


def test_same_plan_is_no_difference_and_neither_is_a_missing_fact() -> None:
    approved = plan(CheckDatabaseReady(), ScaleService(Service.INGEST, 1, 2))

    assert difference(approved, plan(*approved.steps)) is None
    assert difference(approved, NoPlan("Railway is needed", "try again", is_unseen=True)) is None


def test_other_steps_are_shown_side_by_side() -> None:
    approved = plan(ScaleService(Service.INGEST, 1, 2))

    changed = difference(approved, plan(ScaleService(Service.INGEST, 3, 2)))
    longer = difference(approved, plan(*approved.steps, VerifyHeartbeats(Service.INGEST, 2, 60)))

    assert changed is not None
    assert "approved was" in changed
    assert longer is not None
    assert "nothing" in longer
    assert difference(approved, NoPlan("ingest has 2 replicas already", "nothing to do")) == (
        "ingest has 2 replicas already"
    )


def test_a_step_of_the_same_words_is_told_by_what_it_rests_on() -> None:
    approved = plan(RestartDeployment(Service.API, "d-1"))

    assert difference(approved, plan(RestartDeployment(Service.API, "d-2"))) == (
        "“Restart what serves api” rests on something else now: deployment id d-1 → d-2"
    )


def test_standing_tells_replicas_and_commit() -> None:
    instances = (Instance("1", "RUNNING"), Instance("2", "RUNNING"), Instance("3", "CRASHED"))
    serving = Deployment("d", DeploymentStatus.SUCCESS, datetime.now(UTC), commit_sha="a" * 40, instances=instances)
    state = ServiceState(Service.INGEST, "s", active=(serving,), replicas_configured=3)

    words = standing_words([Service.INGEST, Service.API], {Service.INGEST: state})

    assert words == "ingest runs 2 of 3 replicas of aaaaaaaa."
    assert "cannot be read" in standing_words([Service.INGEST], Unavailable("Railway", "HTTP 500"))


@pytest.mark.parametrize(
    ("limit", "seconds"), [(None, 2.0), (0, 2.0), (10_000, 2.0), (1_000, 14.4), (100, 30.0), (10**9, 2.0)]
)
def test_looks_stay_below_a_quarter_of_railways_limit(limit: int | None, seconds: float) -> None:
    assert poll_every(2.0, limit) == pytest.approx(seconds)
