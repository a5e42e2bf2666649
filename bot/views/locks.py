"""What a run left locked, and how that is lifted."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Block
from bot.views.blocks import context
from playbooks._encoding import decode_step
from playbooks._steps import FreezeAutoDeploy, LockService
from services.domain.runs import Run, RunStep, StepState
from services.domain.services import Service

_FROZEN = "pushes are not deployed"
_OPEN = "this bot deploys nothing to it, and a push to main still does"


def locked_services(steps: Sequence[RunStep]) -> list[Service]:
    """Those that the run has locked, in its order."""
    done = [decode_step(step.step) for step in steps if step.state is StepState.DONE]
    return [step.service for step in done if isinstance(step, LockService)]


def lock_notes(run: Run, steps: Sequence[RunStep]) -> list[Block]:
    """One line a service once the run has ended: "api stays locked: pushes are not deployed"."""
    if not run.state.is_final:
        return []
    done = [decode_step(step.step) for step in steps if step.state is StepState.DONE]
    frozen = {step.service for step in done if isinstance(step, FreezeAutoDeploy)}
    notes = [f"🔒 {one.short} stays locked: {_FROZEN if one in frozen else _OPEN}" for one in locked_services(steps)]
    return [context(*notes)] if notes else []
