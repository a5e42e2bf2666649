"""The interfaces of step executors, their dependencies, and the results that they return."""

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
    """The act fits the current state. `intent`: the state that was read, which is all that reading back needs."""

    intent: Json


@dataclass(frozen=True)
class Drifted:
    """The current state is not what the step relies on: acting would be another change than the approved one."""

    note: str


@dataclass(frozen=True)
class Done:
    """The step is done. `proved` False: as far as can be known; the note names what is missing."""

    note: str = ""
    evidence: Json = field(default_factory=dict)
    proved: bool = True


@dataclass(frozen=True)
class NotApplied:
    """Every source that could show it was read, and it has not happened (yet)."""

    note: str


@dataclass(frozen=True)
class Waiting:
    """The condition is not met yet; the note shows the progress."""

    note: str


@dataclass(frozen=True)
class Failed:
    """The condition can't be met by waiting longer."""

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
    """An earlier step of this run, decoded."""

    step: Step
    row: RunStep


@dataclass(frozen=True)
class Reads:
    """Access to the world for reads, and to Railway for changes."""

    world: World

    @property
    def mutations(self) -> RailwayMutations:
        """Mutations of Railway. Raises SourceError if Railway is not configured."""
        if self.world.railway is None:
            raise SourceError("Railway", "not configured")
        return RailwayMutations(self.world.railway)

    async def state_of(self, service: Service) -> ServiceState | Unavailable:
        """Return Railway's state of the service."""
        state = find_state(await self.world.railway_services(), service)
        return state or Unavailable("Railway", f"it has no service called {service.value}")


@dataclass(frozen=True)
class Tools(Reads):
    """Access for one step. `past`: the earlier steps, in order; `row`: the step's own journal row, begun."""

    run: Run
    row: RunStep
    past: tuple[Past, ...]

    def last_act(self, service: Service) -> Past | None:
        """Return the newest act of this run on the service; None before the first."""
        return next((past for past in reversed(self.past) if past.step.acts and service in past.step.touches), None)

    def last_deployment(self, service: Service) -> str | None:
        """Return the id of the deployment that this run's last act on the service made or restarted."""
        ids = [
            past.row.evidence.get("deployment_id")
            for past in self.past
            if service in past.step.touches and past.row.evidence
        ]
        return next((str(one) for one in reversed(ids) if one), None)

    def since(self, service: Service) -> datetime:
        """The end of the last act on the service: heartbeats and log lines from before it prove nothing."""
        act = self.last_act(service)
        return (act and act.row.ended_at) or self.run.started_at or self.run.created_at


StepT = TypeVar("StepT", bound=Step)


class _OfStep(Generic[StepT]):
    """Base of executors, which execute one step of a run."""

    def __init__(self, tools: Tools, step: StepT) -> None:
        self._tools = tools
        self._step = step


class Act(_OfStep[StepT], ABC):
    """Changes something outside our database, at most once.

    best_effort: a failure is shown with its `consequence`, and does not stop the run.
    """

    best_effort: bool = False
    consequence: str = ""

    @abstractmethod
    async def before(self) -> Before:
        """Compare the current state with the one that the step relies on."""

    @abstractmethod
    async def send(self, intent: Json, deadline: float, /) -> Done | None:
        """Send the change, not after `deadline` (time.monotonic()). Returns Done if the answer itself proves it.

        Raises SourceError.
        """

    @abstractmethod
    async def read_back(self, intent: Json, /) -> ReadBack:
        """Read from the outside system whether the change happened."""

    async def done_in_part(self, intent: Json, /) -> str:  # noqa: ARG002 - for acts of several calls
        """Return, as a clause, the part that was done of an act that did not happen completely; empty: none, or
        unknown."""
        return ""


class LocalStep(_OfStep[StepT], ABC):
    """Changes something in our own database: in the journal's transaction, or not at all."""

    @abstractmethod
    async def do(self, conn: Connection) -> Done:
        """Make the change. Raises SourceError if the database refuses; then nothing was changed."""


class WaitStep(_OfStep[StepT], ABC):
    """Checks until a condition holds or the time is up. `when_unknown`: the step's state if a source stays away until
    the end."""

    when_unknown: StepState = StepState.FAILED

    @property
    def timeout_s(self) -> float | None:
        """The step's own time limit; None for a read, which gets as long as its source needs to answer."""
        return getattr(self._step, "timeout_s", None)

    @abstractmethod
    async def observe(self) -> Sight:
        """Read the current state."""

    def remedy(self) -> Act[Any] | None:
        """The act to execute immediately if the wait fails; None: there is none."""
        return None


Executor = Act[Any] | LocalStep[Any] | WaitStep[Any]


def past_steps(steps: Sequence[RunStep], position: int) -> tuple[Past, ...]:
    """Return the steps before this position, decoded."""
    return tuple(Past(decode_step(row.step), row) for row in steps if row.position < position)


def text(intent: Mapping[str, Any], name: str) -> str | None:
    """A stored value if it is text, else None."""
    value = intent.get(name)
    return value if isinstance(value, str) else None
