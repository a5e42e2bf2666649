"""Every kind of step has an executor."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bot.config.environment import Settings
from bot.runs.executor import Act, LocalStep, Tools
from bot.runs.executors import executor_of
from bot.world import World
from playbooks.steps import STEPS, Step
from services.domain.runs import RunStep, StepState
from tests.runs import new_run

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TOOLS = Tools(
    World.from_settings(Settings.from_environment({})),
    new_run(NOW),
    RunStep(12, 0, {}, StepState.RUNNING, None, None, None, NOW, None),
    (),
)


@given(st.one_of([st.from_type(kind) for kind in STEPS.values()]))
def test_only_acts_have_an_executor_that_changes_something(step: Step) -> None:
    assert isinstance(executor_of(step, TOOLS), Act | LocalStep) is step.acts
