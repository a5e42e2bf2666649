"""The API of `civil`, one app per vintage, with exactly the responses of its contract; it records uploads. An endpoint
that answers wrongly on a healthy system does so here too: the bot must not use it."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

AT = "2026-11-29T07:48:09Z"
SHA = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
KEY = "df_civil_key"
UNTRUSTED = ("/api/ready", "/api/health/system", "/api/health/jobs", "/api/metrics", "/api/v1/system/status")
Json = dict[str, Any]
Call = Callable[[Request], Awaitable[JSONResponse]]


def batch_body(batch_id: str, **values: object) -> Json:
    """Return one batch as `GET /api/v1/intake/batch/{id}` returns it in both vintages."""
    body: Json = {
        "id": batch_id,
        "filename": "one.csv",
        "source": "simplicity",
        "status": "completed",
        "total_rows": 1,
        "valid_rows": 1,
        "error_rows": 0,
        "duplicate_rows": 0,
        "skipped_rows": 0,
        "success_rate": 100.0,
        "duration_seconds": 1.2,
        "health_status": "healthy",
        "created_at": AT,
        "started_at": AT,
        "completed_at": AT,
        "created_by": "api_key",
        "worker_id": f"api-background-{batch_id}",
        "stats": {"total": 1, "valid": 1, "error": 0, "duplicates": 0, "skipped": 0, "duration_seconds": 1.2},
        "recent_errors": [],
    }
    return body | values


@dataclass
class CivilApi:
    """`vintage`: december or january. `ready` False: `/readyz` answers 503, while everything else answers as before.

    `on_upload` is called with each accepted file's name and bytes, and may return changes of its batch.
    """

    vintage: str
    environment: str = "dev"
    ready: bool = True
    degraded: bool = False
    sha: str = SHA
    pending_jobs: int = 0
    batches: dict[str, Json] = field(default_factory=dict)
    uploads: list[tuple[str, bytes, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    on_upload: Callable[[str, str, bytes], Awaitable[Json]] | None = None

    @property
    def is_january(self) -> bool:
        return self.vintage == "january"

    def app(self) -> ASGIApp:
        return Starlette(routes=[Route(path, call, methods=[method]) for (method, path), call in self._calls().items()])

    def _calls(self) -> dict[tuple[str, str], Call]:
        calls: dict[tuple[str, str], Call] = {
            ("GET", "/api/health"): self._health,
            ("GET", "/health"): self._liveness,
            ("GET", "/readyz"): self._readyz,
            ("GET", "/openapi.json"): self._openapi,
            ("GET", "/api/v1/intake/health"): self._intake_health,
            ("GET", "/api/v1/intake/state"): self._state,
            ("POST", "/api/v1/intake/upload"): self._upload,
            ("GET", "/api/v1/intake/batch/{batch_id}"): self._batch,
        }
        if self.is_january:
            calls["GET", "/api/v1/intake/batches/{batch_id}"] = self._batch
        return calls | {("GET", path): self._untrusted for path in UNTRUSTED}

    def _note(self, request: Request) -> None:
        self.asked.append(request.url.path)

    async def _health(self, request: Request) -> JSONResponse:
        self._note(request)
        data = {"status": "ok", "timestamp": AT, "environment": self.environment}
        return JSONResponse(_envelope(data) | {"degraded": self.degraded})

    async def _liveness(self, request: Request) -> JSONResponse:
        self._note(request)
        if self.is_january:
            return JSONResponse({"status": "ok", "version": "1.3.1", "sha": self.sha[:8], "env": self.environment})
        return JSONResponse({"service": "dragonfly", "status": "ok", "version": "1.3.0"})

    async def _readyz(self, request: Request) -> JSONResponse:
        self._note(request)
        code = 200 if self.ready else 503
        if self.is_january:
            word, database = ("ready", "connected") if self.ready else ("not_ready", "disconnected")
            return JSONResponse({"status": word, "services": {"database": database}}, code)
        body = {
            "ready": self.ready,
            "status": "ready" if self.ready else "not_ready",
            "timestamp": AT,
            "database": "ok (1ms)" if self.ready else "failed",
            "latency_ms": 1.0,
            "error": None if self.ready else "pool is not initialized",
            "pool_initialized": self.ready,
            "pool_init_attempts": 1,
        }
        return JSONResponse(body, code)

    async def _openapi(self, request: Request) -> JSONResponse:
        self._note(request)
        paths: dict[str, dict[str, object]] = {}
        for method, path in self._calls():
            paths.setdefault(path, {})[method.lower()] = {}
        return JSONResponse({"paths": paths})

    async def _intake_health(self, request: Request) -> JSONResponse:
        self._note(request)
        return JSONResponse(_envelope({"status": "ok"}))

    async def _state(self, request: Request) -> JSONResponse:
        self._note(request)
        words = [batch["status"] for batch in self.batches.values()]
        counts = {word: words.count(word) for word in ("pending", "processing", "completed", "failed")}
        last = max((batch["created_at"] for batch in self.batches.values()), default=None)
        data = {
            "total_batches": len(words),
            "last_batch_at": last,
            "queue_depth": self.pending_jobs,
            "checked_at": AT,
        }
        return JSONResponse(_envelope(counts | data))

    async def _upload(self, request: Request) -> JSONResponse:
        self._note(request)
        if request.headers.get("X-DRAGONFLY-API-KEY") != KEY:
            message = "Missing or invalid API key"
            return JSONResponse({"error": "unauthorized", "message": message, "status_code": 401}, 401)
        async with request.form() as form:
            file = form["file"]
            assert not isinstance(file, str)
            name, content = file.filename or "", await file.read()
        self.uploads.append((name, content, request.query_params["source"]))
        batch_id = str(uuid.uuid4())
        made = await self.on_upload(batch_id, name, content) if self.on_upload else {}
        self.batches[batch_id] = batch_body(batch_id, filename=name) | made
        return JSONResponse({"batch_id": batch_id, "status": "processing", "message": "Upload accepted"})

    async def _batch(self, request: Request) -> JSONResponse:
        self._note(request)
        batch = self.batches.get(request.path_params["batch_id"])
        if batch is None:
            return JSONResponse({"error": "not_found", "message": "Batch not found", "status_code": 404}, 404)
        more = {"plaintiffs_inserted": 0, "plaintiffs_duplicate": 0, "plaintiffs_failed": 0} if self.is_january else {}
        return JSONResponse(batch | more)

    async def _untrusted(self, request: Request) -> JSONResponse:
        self._note(request)
        return JSONResponse({"status": "critical", "error": "UndefinedColumn"}, 500)


def _envelope(data: Json) -> Json:
    return {"ok": True, "data": data, "degraded": False, "error": None, "meta": {}}
