"""The local Railway over HTTP, and `/control/railway/…` for operating it and injecting faults."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from secrets import compare_digest
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLResolveInfo,
    build_schema,
    execute_sync,
    parse,
    validate,
)
from pydantic import BaseModel, Field

from services.sandbox.railway.local import LocalRailway, NotFoundError
from services.sandbox.railway.model import Faults
from services.sandbox.railway.queries import MUTATIONS, NOT_AUTHORIZED, QUERIES, Resolver
from services.sandbox.web_server import refuse_other_sites


class ReplicaOrder(BaseModel):
    """`replica` is a replica's id in the state."""

    replica: str


class ServiceOrder(BaseModel):
    """`service` is a full name."""

    service: str


class DeployOrder(ServiceOrder):
    """`sha` is at least the first 7 characters of a commit in the state."""

    sha: str


class ScaleOrder(ServiceOrder):
    """The number of replicas to run."""

    replicas: Annotated[int, Field(ge=1, le=50)]


class LatencyOrder(BaseModel):
    """Seconds added to every request to the API's public address."""

    seconds: Annotated[float, Field(ge=0, le=600)]


def build_control_router(railway: LocalRailway) -> APIRouter:
    """The routes below `/control/railway`: 404 names what does not exist, 422 what is malformed."""
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
        """Set all faults at once: what is left out is off."""
        return _state_after(railway, lambda: railway.set_faults(order))


def _state_after(railway: LocalRailway, act: Callable[[], object]) -> dict[str, Any]:
    try:
        act()
    except NotFoundError as exc:
        raise HTTPException(404, str(exc)) from exc
    return asdict(railway.snapshot())


SCHEMA = build_schema((Path(__file__).parent / "schema.graphql").read_text(encoding="utf-8"))
LIMIT_PER_HOUR = 10_000  # as in Railway's Pro plan
_HOUR_S = 3600


class GraphQLEndpoint:
    """Answers requests one after the other and counts them against the hourly limit."""

    def __init__(self, railway: LocalRailway, *, limit_per_hour: int = LIMIT_PER_HOUR) -> None:
        self._railway = railway
        self._limit = limit_per_hour
        self._used = 0
        self._resets_at = time.time() + _HOUR_S
        self._root = {name: partial(_resolve, railway, resolver) for name, resolver in {**QUERIES, **MUTATIONS}.items()}

    async def answer(self, request: Request) -> Response:
        """Answer one HTTP request."""
        await asyncio.sleep(self._railway.faults.delay_s)
        response = self._refuse() or await self._execute(request)
        response.headers.update(self._count())
        return response

    def _refuse(self) -> Response | None:
        """The refusal due to an active fault or the rate limit; None if there is none."""
        faults = self._railway.faults
        if faults.http_status == 429:
            return _too_many(faults.retry_after_s)
        if faults.http_status:
            return Response("<h1>upstream error</h1>", faults.http_status, media_type="text/html")
        if faults.malformed:
            return Response('{"data": {"environment"', media_type="application/json")
        if self._used >= self._limit and time.time() < self._resets_at:
            return _too_many(int(self._resets_at - time.time()) + 1)
        return None

    async def _execute(self, request: Request) -> Response:
        if reason := self._why_refused(request.headers):
            return JSONResponse({"errors": [{"message": reason}], "data": None})
        try:
            body = json.loads(await request.body())
            document, variables = str(body["query"]), body.get("variables")
        except (ValueError, KeyError, TypeError, AttributeError):
            return JSONResponse({"errors": [{"message": "Problem processing request"}]}, 400)
        read = _read_document(document)
        if isinstance(read, DocumentNode):
            result = execute_sync(SCHEMA, read, self._root, variable_values=variables)
        else:
            result = ExecutionResult(None, list(read))
        # Without data it failed before execution, because the document or its variables are invalid.
        return JSONResponse(result.formatted, 400 if result.data is None and not _was_executed(result) else 200)

    def _why_refused(self, headers: Mapping[str, str]) -> str | None:
        token = self._railway.token.encode()
        project_token = headers.get("project-access-token")
        if project_token is not None and not compare_digest(project_token.encode(), token):
            return "Project Token not found"
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if self._railway.faults.refuse_token or not compare_digest((project_token or bearer).encode(), token):
            return NOT_AUTHORIZED
        return None

    def _count(self) -> dict[str, str]:
        if time.time() >= self._resets_at:
            self._used, self._resets_at = 0, time.time() + _HOUR_S
        self._used += 1
        return {
            "X-RateLimit-Limit": str(self._limit),
            "X-RateLimit-Remaining": str(max(self._limit - self._used, 0)),
            "X-RateLimit-Reset": str(int(self._resets_at)),
        }


def _resolve(railway: LocalRailway, resolver: Resolver, _info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
    return resolver(railway, arguments)


@lru_cache(maxsize=256)  # a client sends the same few documents, and parsing takes most of the time of an answer
def _read_document(document: str) -> DocumentNode | tuple[GraphQLError, ...]:
    """Parse the document; return it, or its errors if it does not fit the schema."""
    try:
        read = parse(document)
    except GraphQLError as error:
        return (error,)
    return tuple(validate(SCHEMA, read)) or read


def _was_executed(result: Any) -> bool:
    return any(error.path for error in result.errors or ())


def _too_many(retry_after_s: int) -> Response:
    return Response("Too Many Requests", 429, headers={"Retry-After": str(retry_after_s)}, media_type="text/plain")


def build_router(railway: LocalRailway, *, limit_per_hour: int = LIMIT_PER_HOUR) -> APIRouter:
    """The routes `POST /railway/graphql/v2` and `/control/railway/…`."""
    router = build_railway_router(railway, limit_per_hour=limit_per_hour)
    router.include_router(build_control_router(railway))
    return router


def build_railway_router(railway: LocalRailway, *, limit_per_hour: int = LIMIT_PER_HOUR) -> APIRouter:
    """The route `POST /railway/graphql/v2`: Railway without the control routes."""
    router = APIRouter()
    endpoint = GraphQLEndpoint(railway, limit_per_hour=limit_per_hour)

    @router.post("/railway/graphql/v2")
    async def answer_graphql(request: Request) -> Response:
        return await endpoint.answer(request)

    return router
