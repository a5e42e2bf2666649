"""What executors work with: the world, Railway, the journal, and the verdicts that they return."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from bot.world import World
from playbooks.steps import Step
from playbooks.stored_steps import decode_step
from services.clients.postgres.pool import Connection
from services.clients.railway.mutations import RailwayMutations
from services.domain.deployments import ServiceState, find_state
from services.domain.errors import SourceError, Unavailable
from services.domain.runs import Run, RunStep, StepState
from services.domain.services import Service

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Ready:
    """The act fits what is there; `intent` holds what was seen, and is all that reading back needs."""

    intent: Json


@dataclass(frozen=True)
class Drifted:
    """The world is not what the step rests on: acting would be another change than the approved one."""

    note: str


@dataclass(frozen=True)
class Done:
    """It is done. `proved` False: as far as can be known; the note names what is missing."""

    note: str = ""
    evidence: Json = field(default_factory=dict)
    proved: bool = True


@dataclass(frozen=True)
class NotApplied:
    """Everything that could show it was read, and it did not happen (yet)."""

    note: str


@dataclass(frozen=True)
class Waiting:
    """Not yet; the note shows how far it is."""

    note: str


@dataclass(frozen=True)
class Failed:
    """It will not come right by waiting."""

    note: str
    evidence: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Unknown:
    """A source is not available, so the outcome is unknown."""

    note: str


Before = Ready | Done | Drifted | Unknown
ReadBack = Done | NotApplied | Unknown
Sight = Done | Waiting | Failed | Unknown


@dataclass(frozen=True)
class Past:
    """One step of this run that is over, decoded."""

    step: Step
    row: RunStep


@dataclass(frozen=True)
class Reads:
    """The world to read, and Railway to change."""

    world: World

    @property
    def mutations(self) -> RailwayMutations:
        """Raises SourceError when Railway is not configured."""
        if self.world.railway is None:
            raise SourceError("Railway", "not configured")
        return RailwayMutations(self.world.railway)

    async def state_of(self, service: Service) -> ServiceState | Unavailable:
        """What Railway reports of the service."""
        state = find_state(await self.world.railway_services(), service)
        return state or Unavailable("Railway", f"it has no service called {service.value}")


@dataclass(frozen=True)
class Tools(Reads):
    """`past` are the steps before the one at hand, in their order; `row` is its own line of the journal, begun."""

    run: Run
    row: RunStep
    past: tuple[Past, ...]

    def last_act(self, service: Service) -> Past | None:
        """The newest act of this run on the service; None before the first."""
        return next((past for past in reversed(self.past) if past.step.acts and service in past.step.touches), None)

    def last_deployment(self, service: Service) -> str | None:
        """The deployment that this run's last act on the service made or restarted."""
        ids = [
            past.row.evidence.get("deployment_id")
            for past in self.past
            if service in past.step.touches and past.row.evidence
        ]
        return next((str(one) for one in reversed(ids) if one), None)

    def since(self, service: Service) -> datetime:
        """When the last act on the service was over: beats and log lines from before it prove nothing."""
        act = self.last_act(service)
        return (act and act.row.ended_at) or self.run.started_at or self.run.created_at


StepT = TypeVar("StepT", bound=Step)


class _OfStep(Generic[StepT]):
    """What executes one step of a run."""

    def __init__(self, tools: Tools, step: StepT) -> None:
        self._tools = tools
        self._step = step


class Act(_OfStep[StepT], ABC):
    """Changes something outside our database, at most once.

    best_effort: its failure is shown, with its `consequence`, and never blocks.
    """

    best_effort: bool = False
    consequence: str = ""

    @abstractmethod
    async def before(self) -> Before:
        """Compare the world with what the step rests on."""

    @abstractmethod
    async def send(self, intent: Json, deadline: float, /) -> Done | None:
        """Ask for it, not after `deadline` (time.monotonic()). Done when the answer itself proves it.

        Raises SourceError.
        """

    @abstractmethod
    async def read_back(self, intent: Json, /) -> ReadBack:
        """Whether it happened, by what the world shows."""

    async def done_in_part(self, intent: Json, /) -> str:  # noqa: ARG002 - for acts of several calls
        """What is done of an act that did not happen as a whole, as a clause; empty: nothing, or unknown."""
        return ""


class LocalStep(_OfStep[StepT], ABC):
    """Changes something in our own database: it happens in the journal's transaction, or not at all."""

    @abstractmethod
    async def do(self, conn: Connection) -> Done:
        """Do it. Raises SourceError when the database refuses; nothing was changed then."""


class WaitStep(_OfStep[StepT], ABC):
    """Looks until it is so or its time is up. `when_unknown`: the step's state if a source stays away until the end."""

    when_unknown: StepState = StepState.FAILED

    @property
    def timeout_s(self) -> float | None:
        """The step's own; None for a read, which gets as long as its source needs to answer."""
        return getattr(self._step, "timeout_s", None)

    @abstractmethod
    async def observe(self) -> Sight:
        """How it stands now."""

    def remedy(self) -> Act[Any] | None:
        """What to do at once when it is broken; None: nothing."""
        return None


Executor = Act[Any] | LocalStep[Any] | WaitStep[Any]


def past_steps(steps: Sequence[RunStep], position: int) -> tuple[Past, ...]:
    """The steps before this position."""
    return tuple(Past(decode_step(row.step), row) for row in steps if row.position < position)


def text(intent: Mapping[str, Any], name: str) -> str | None:
    """A stored value, when it is text."""
    value = intent.get(name)
    return value if isinstance(value, str) else None
