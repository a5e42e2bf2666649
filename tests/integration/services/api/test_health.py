from __future__ import annotations

import asyncio
import json
import re

import httpx
import psycopg
import pytest
from psycopg import sql

from services.api.access import KEY_HEADER
from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.postgres import writes
from services.clients.postgres.pool import Connection
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK
from tests.conftest import DatabaseUrls
from tests.integration.services.api.conftest import OpenApi

NOWHERE = "postgresql://u:p@127.0.0.1:1/d"
ROUTE = "/api/v1/intake/batches/{batch_id}"


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


async def test_intake_health_reports_what_waits(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
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
        api = DragonflyApi("http://api.test", Secret("df_new"), transport=http._transport, system=RUNBOOK.name)

        health, intake = await api.read_health(), await api.read_intake_health()
        batch_id = await api.upload_csv(
            "a.csv", b"Case Number,Plaintiff,Defendant,Judgment Amount,Filing Date,County\n1,2,3,4,5,6\n"
        )
        batch = await api.read_batch(batch_id)
        endpoints = await api.read_endpoints()

    assert (health.is_ok, intake.is_ok) == (True, True)
    assert (batch.id, batch.row_count, batch.status) == (batch_id, 1, "received")
    assert "/api/v1/intake/upload" in {one.path for one in endpoints}


async def test_metrics_count_by_route_and_not_by_path(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app) as api:
        await api.get("/api/live")
        await api.get("/canary/path?x=canary")
        await api.get("/api/v1/intake/batches/5e0b5a4e-0000-4000-8000-000000000000")
        text = (await api.get("/api/v1/metrics", headers={KEY_HEADER: "df_new"})).text

    assert 'dragonfly_api_requests_total{method="GET",route="/api/live",status="200"} 1.0' in text
    assert 'route="(unknown path)",status="404"' in text
    assert f'route="{ROUTE}",status="401"' in text
    assert "canary" not in text


async def test_metrics_can_be_switched_off(open_api: OpenApi) -> None:
    async with open_api(NOWHERE, metrics_enabled=False) as api:
        response = await api.get("/api/v1/metrics")

    assert response.status_code == 404
    assert set(response.json()["error"]) == {"what", "why", "what_next"}


async def test_describes_itself(open_api: OpenApi) -> None:
    async with open_api(NOWHERE) as api:
        paths: httpx.Response = await api.get("/openapi.json", headers={KEY_HEADER: "df_new"})

    assert "multipart/form-data" in paths.text


REFUSE = """
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'could not extend file'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON intake.write_probe EXECUTE FUNCTION public.refuse();
"""


async def test_health_is_503_while_the_database_takes_no_writes_and_recovers(
    open_api: OpenApi, database_urls: DatabaseUrls, as_owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writes.WriteProbe.__init__, "__kwdefaults__", {"timeout_s": 5.0, "every_s": 0.0})
    await as_owner.execute(REFUSE)
    async with open_api(database_urls.app) as http:
        health, intake = [await http.get(path) for path in ("/api/health", "/api/v1/intake/health")]
        read = await DragonflyApi("http://api.test", None, transport=http._transport, system=RUNBOOK.name).read_health()
        await as_owner.execute("DROP TRIGGER refuse ON intake.write_probe")
        after = await http.get("/api/health")

    reported = health.json()
    assert (health.status_code, reported["status"], reported["db_connected"], reported["db_writable"]) == (
        503,
        "degraded",
        True,
        False,
    )
    assert (intake.status_code, intake.json()["status"], intake.json()["db_writable"]) == (503, "degraded", False)
    assert (read.db_writable, read.is_ok) == (False, False)
    assert (after.status_code, "db_writable" in after.json()) == (200, False)


async def test_a_read_only_database_is_not_healthy(
    open_api: OpenApi, database_urls: DatabaseUrls, as_owner: Connection
) -> None:
    """As a hosting platform sets it when the disk is nearly full: reads go on."""
    name = as_owner.info.dbname
    await as_owner.execute(
        sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(sql.Identifier(name))
    )
    async with open_api(database_urls.app) as http:
        health = await http.get("/api/health")

    assert (health.status_code, health.json()["db_connected"], health.json()["db_writable"]) == (503, True, False)


async def test_api_health_writes_to_the_database_once_per_10_s(
    open_api: OpenApi, database_urls: DatabaseUrls, as_owner: Connection
) -> None:
    await as_owner.execute(
        "CREATE TABLE public.proofs (); GRANT INSERT ON public.proofs TO PUBLIC;"
        " CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO public.proofs DEFAULT VALUES; RETURN NEW; END $$;"
        " CREATE TRIGGER note BEFORE INSERT ON intake.write_probe FOR EACH ROW EXECUTE FUNCTION public.note()"
    )
    async with open_api(database_urls.app) as http:
        answers = await asyncio.gather(*(http.get("/api/health") for _ in range(20)))

    row = await (await as_owner.execute("SELECT count(*) FROM public.proofs")).fetchone()
    assert {answer.status_code for answer in answers} == {200}
    assert row == (1,)
