"""What a run takes away again however it ends: a step of its own, which waits for a person's word only."""

from __future__ import annotations

from collections.abc import Sequence

from playbooks._steps import RemoveSample, Step
from services.domain.runs import RunStep, StepState

_CLEAN_UPS = (RemoveSample,)
_KINDS = frozenset(one.__name__ for one in _CLEAN_UPS)


def is_clean_up(step: Step) -> bool:
    """Whether the step is carried out however the run ends before it."""
    return isinstance(step, _CLEAN_UPS)


def is_left_to_clean_up(steps: Sequence[RunStep]) -> bool:
    """Whether what the run may have brought is still to be taken away."""
    return any(step.state is StepState.PENDING and step.step.get("kind") in _KINDS for step in steps)
