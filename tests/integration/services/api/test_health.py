from __future__ import annotations

import json
import re

import httpx
import psycopg

from services.domain.secrets import Secret
from services.dragonfly_api.client import DragonflyApi
from tests.conftest import DatabaseUrls
from tests.integration.services.api.conftest import OpenApi

NOWHERE = "postgresql://u:p@127.0.0.1:1/d"


async def test_health_has_exactly_the_runbooks_keys(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app, environment="prod") as api:
        response = await api.get("/api/health")

    health = json.loads(response.content)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", health.pop("timestamp"))
    assert health == {"status": "ok", "environment": "prod", "git_sha": "a1b2c3d4", "db_connected": True}
    assert response.status_code == 200


async def test_health_is_503_while_the_database_is_away(open_api: OpenApi) -> None:
    async with open_api(NOWHERE) as api:
        health, intake, live = [await api.get(path) for path in ("/api/health", "/api/v1/intake/health", "/api/live")]

    assert (health.status_code, health.json()["status"], health.json()["db_connected"]) == (503, "degraded", False)
    assert (intake.status_code, intake.json()["db_connected"], intake.json()["pending_jobs"]) == (503, False, None)
    assert live.status_code == 200


async def test_intake_health_tells_what_waits(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with await psycopg.AsyncConnection.connect(database_urls.owner) as conn:
        await conn.execute("INSERT INTO ops.job_queue (job_type) VALUES ('simplicity_ingest'), ('something_else')")

    async with open_api(database_urls.app) as api:
        intake = (await api.get("/api/v1/intake/health")).json()

    assert (intake["status"], intake["pending_jobs"], intake["last_batch_at"]) == ("ok", 1, None)


async def test_intake_health_notices_that_its_tables_cannot_be_read(
    open_api: OpenApi, empty_database_urls: DatabaseUrls
) -> None:
    async with open_api(empty_database_urls.app) as api:
        response = await api.get("/api/v1/intake/health")

    assert (response.status_code, response.json()["db_connected"]) == (503, True)


async def test_the_client_understands_the_api(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app) as http:
        api = DragonflyApi("http://api.test", Secret("df_new"), transport=http._transport)

        health, intake = await api.read_health(), await api.read_intake_health()
        batch_id = await api.upload_csv(
            "a.csv", b"Case Number,Plaintiff,Defendant,Judgment Amount,Filing Date,County\n1,2,3,4,5,6\n"
        )
        batch = await api.read_batch(batch_id)

    assert (health.is_ok, intake.is_ok) == (True, True)
    assert (batch.id, batch.row_count, batch.status) == (batch_id, 1, "received")


async def test_metrics_count_by_route_and_not_by_path(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app) as api:
        await api.get("/api/live")
        await api.get("/canary/path?x=canary")
        await api.get("/api/v1/intake/batches/5e0b5a4e-0000-4000-8000-000000000000")
        text = (await api.get("/api/v1/metrics")).text

    assert 'dragonfly_api_requests_total{method="GET",route="/api/live",status="200"} 1.0' in text
    assert 'route="(unknown path)",status="404"' in text
    assert 'route="/api/v1/intake/batches/{batch_id}",status="401"' in text
    assert "canary" not in text


async def test_metrics_can_be_switched_off(open_api: OpenApi) -> None:
    async with open_api(NOWHERE, metrics_enabled=False) as api:
        response = await api.get("/api/v1/metrics")

    assert response.status_code == 404
    assert set(response.json()["error"]) == {"what", "why", "what_next"}


async def test_describes_itself(open_api: OpenApi) -> None:
    async with open_api(NOWHERE) as api:
        paths: httpx.Response = await api.get("/openapi.json")

    assert "multipart/form-data" in paths.text
