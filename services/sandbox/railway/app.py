"""The local Railway over HTTP, to be included in the sandbox's one app."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.sandbox.railway.control import build_control_router
from services.sandbox.railway.graphql_endpoint import LIMIT_PER_HOUR, GraphQLEndpoint
from services.sandbox.railway.local import LocalRailway


def build_router(railway: LocalRailway, *, limit_per_hour: int = LIMIT_PER_HOUR) -> APIRouter:
    """`POST /railway/graphql/v2` and `/control/railway/…`."""
    router = APIRouter()
    endpoint = GraphQLEndpoint(railway, limit_per_hour=limit_per_hour)

    @router.post("/railway/graphql/v2")
    async def answer_graphql(request: Request) -> Response:
        return await endpoint.answer(request)

    router.include_router(build_control_router(railway))
    return router
