"""`/control/railway/…`: what a person may break in the demo, and the tests with it. JSON in, the new state out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, Field

from services.sandbox.other_sites import refuse_other_sites
from services.sandbox.railway.faults import Faults
from services.sandbox.railway.local import LocalRailway, NotFoundError


class ReplicaOrder(BaseModel):
    """`replica` is an id of the state."""

    replica: str


class ServiceOrder(BaseModel):
    """`service` is a full name."""

    service: str


class DeployOrder(ServiceOrder):
    """`sha` is at least 7 characters of a commit of the state."""

    sha: str


class ScaleOrder(ServiceOrder):
    """The number of replicas to run."""

    replicas: Annotated[int, Field(ge=1, le=50)]


class LatencyOrder(BaseModel):
    """Added to every request to the API's public address."""

    seconds: Annotated[float, Field(ge=0, le=600)]


def build_control_router(railway: LocalRailway) -> APIRouter:
    """404 says what does not exist, 422 what is malformed."""
    router = APIRouter(prefix="/control/railway", dependencies=[Depends(refuse_other_sites)])

    @router.get("/state")
    async def state() -> dict[str, Any]:
        return asdict(railway.snapshot())

    @router.post("/kill")
    async def kill(order: ReplicaOrder) -> dict[str, Any]:
        return _state_after(railway, lambda: railway.kill(order.replica))

    @router.post("/freeze")
    async def freeze(order: ReplicaOrder) -> dict[str, Any]:
        return _state_after(railway, lambda: railway.freeze(order.replica))

    @router.post("/thaw")
    async def thaw(order: ReplicaOrder) -> dict[str, Any]:
        return _state_after(railway, lambda: railway.thaw(order.replica))

    @router.post("/start")
    async def start(order: ReplicaOrder) -> dict[str, Any]:
        return _state_after(railway, lambda: railway.start_replica(order.replica))

    _add_service_orders(router, railway)
    _add_fault_orders(router, railway)
    return router


def _add_service_orders(router: APIRouter, railway: LocalRailway) -> None:
    @router.post("/restart")
    async def restart(order: ServiceOrder) -> dict[str, Any]:
        return _state_after(railway, lambda: railway.restart(order.service))

    @router.post("/stop")
    async def stop(order: ServiceOrder) -> dict[str, Any]:
        return _state_after(railway, lambda: railway.stop_service(order.service))

    @router.post("/deploy")
    async def deploy(order: DeployOrder) -> dict[str, Any]:
        return _state_after(railway, lambda: railway.deploy(order.service, order.sha))

    @router.post("/scale")
    async def scale(order: ScaleOrder) -> dict[str, Any]:
        return _state_after(railway, lambda: railway.scale(order.service, order.replicas))


def _add_fault_orders(router: APIRouter, railway: LocalRailway) -> None:
    @router.post("/latency")
    async def latency(order: LatencyOrder) -> dict[str, Any]:
        return _state_after(railway, lambda: railway.set_latency(order.seconds))

    @router.post("/faults")
    async def faults(order: Faults) -> dict[str, Any]:
        """All of them at once: what is left out is off."""
        return _state_after(railway, lambda: railway.set_faults(order))


def _state_after(railway: LocalRailway, act: Callable[[], object]) -> dict[str, Any]:
    try:
        act()
    except NotFoundError as exc:
        raise HTTPException(404, str(exc)) from exc
    return asdict(railway.snapshot())
