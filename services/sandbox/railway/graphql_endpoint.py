"""`POST /railway/graphql/v2`: token, rate limit and faults around the execution of a document."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from secrets import compare_digest
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from graphql import GraphQLResolveInfo, build_schema, graphql

from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.mutations import MUTATIONS
from services.sandbox.railway.queries import NOT_AUTHORIZED, QUERIES, Resolver

SCHEMA = build_schema((Path(__file__).parent / "schema.graphql").read_text(encoding="utf-8"))
LIMIT_PER_HOUR = 10_000  # the Pro plan's
_HOUR_S = 3600


class GraphQLEndpoint:
    """Answers one request after the other; counts them against the hour's limit."""

    def __init__(self, railway: LocalRailway, *, limit_per_hour: int = LIMIT_PER_HOUR) -> None:
        self._railway = railway
        self._limit = limit_per_hour
        self._used = 0
        self._resets_at = time.time() + _HOUR_S
        self._root = {name: partial(_resolve, railway, resolver) for name, resolver in {**QUERIES, **MUTATIONS}.items()}

    async def answer(self, request: Request) -> Response:
        """One HTTP request."""
        await asyncio.sleep(self._railway.faults.delay_s)
        response = self._refuse() or await self._execute(request)
        response.headers.update(self._count())
        return response

    def _refuse(self) -> Response | None:
        """What the switched-on faults and the rate limit make of any request."""
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
        result = await graphql(SCHEMA, document, root_value=self._root, variable_values=variables)
        # Without data it failed before execution: no valid document, or no fitting variables.
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


def _was_executed(result: Any) -> bool:
    return any(error.path for error in result.errors or ())


def _too_many(retry_after_s: int) -> Response:
    return Response("Too Many Requests", 429, headers={"Retry-After": str(retry_after_s)}, media_type="text/plain")
