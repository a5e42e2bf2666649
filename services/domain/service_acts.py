"""What runs of ours did to a service's deployments, as the journal has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.domain.deployments import ServiceState
from services.domain.runs import Person
from services.domain.services import Service

STOP = "StopService"
SAME_AGAIN = frozenset(
    {"StartService", "RedeployDeployment", "RestartDeployment"}
)  # of the commit that was there before


@dataclass(frozen=True)
class ServiceAct:
    """`kind` is the name of the step ("StopService", "RollBackDeployment"). `at`: when it was done.

    `deployment_id`: the deployment that came of it or was restarted; None for a stop.
    """

    service: Service
    kind: str
    run_id: int
    deployment_id: str | None
    at: datetime
    by: Person


def with_journal(state: ServiceState, acts: Sequence[ServiceAct]) -> ServiceState:
    """The state with when a run of ours stopped the service, unless a later act started it again."""
    last = max((act for act in acts if act.service is state.service), key=lambda act: act.at, default=None)
    return replace(state, stopped_at=last.at if last is not None and last.kind == STOP else None)
