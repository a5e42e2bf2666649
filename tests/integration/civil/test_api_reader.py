"""The reader of the API of `civil`, against both vintages' answers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from services.clients.dragonfly_api.client import DragonflyApi
from services.domain.errors import SourceError
from services.domain.health import Endpoint
from services.domain.secrets import Secret
from services.domain.systems import CIVIL
from tests.integration.civil.api_stub import KEY, SHA, UNTRUSTED, CivilApi, batch_body
from tests.integration.civil.conftest import VINTAGES
from tests.serving import serve

OF_JANUARY = Endpoint("GET", "/api/v1/intake/batches/{batch_id}")


@pytest.fixture(params=list(VINTAGES))
def stub(request: pytest.FixtureRequest) -> CivilApi:
    return CivilApi(request.param)


@pytest.fixture
async def api(stub: CivilApi) -> AsyncIterator[DragonflyApi]:
    async with serve(stub.app()) as base, DragonflyApi(base, Secret(KEY), system=CIVIL.name) as api:
        yield api


def api_that(*answers: tuple[str, httpx.Response], key: str | None = KEY) -> DragonflyApi:
    """An API that gives these answers by path, and 404 elsewhere."""
    known = dict(answers)
    transport = httpx.MockTransport(lambda request: known.get(request.url.path, httpx.Response(404)))
    return DragonflyApi("http://api.test", Secret(key) if key else None, transport=transport, system=CIVIL.name)


HEALTH = ("/api/health", httpx.Response(200, json={"ok": True, "data": {"status": "ok", "environment": "dev"}}))


async def test_civil_health_has_readiness_and_the_commit_where_it_is_reported(
    stub: CivilApi, api: DragonflyApi
) -> None:
    health = await api.read_health()

    assert (health.is_ok, health.environment, health.db_connected) == (True, "dev", True)
    assert health.git_sha == (SHA[:8] if stub.is_january else None)
    assert not set(stub.asked) & set(UNTRUSTED)


async def test_an_api_that_is_not_ready_does_not_reach_its_database(stub: CivilApi, api: DragonflyApi) -> None:
    stub.ready = False

    health = await api.read_health()

    assert (health.http_status, health.db_connected, health.is_ok) == (200, False, False)


async def test_a_degraded_api_is_not_ok(stub: CivilApi, api: DragonflyApi) -> None:
    stub.degraded = True

    assert (await api.read_health()).status == "degraded"


@pytest.mark.parametrize(
    ("readiness", "why"),
    [
        (httpx.Response(404), "GET /readyz: HTTP 404"),
        (httpx.Response(200, json={"fine": True}), "GET /readyz: .*neither ready nor status"),
        (httpx.Response(503, text="<html>"), "GET /readyz: .*not JSON"),
    ],
)
async def test_civil_health_fails_without_readiness(readiness: httpx.Response, why: str) -> None:
    async with api_that(HEALTH, ("/readyz", readiness)) as api:
        with pytest.raises(SourceError, match=why):
            await api.read_health()


@pytest.mark.parametrize("sha", ["unknown", "", None, "not-a-sha"])
async def test_civil_health_has_no_commit_when_the_sha_is_malformed(sha: str | None) -> None:
    ready = ("/readyz", httpx.Response(200, json={"status": "ready", "services": {"database": "connected"}}))
    liveness = ("/health", httpx.Response(200, json={"status": "ok", "sha": sha}))

    async with api_that(HEALTH, ready, liveness) as api:
        assert (await api.read_health()).git_sha is None


async def test_the_intake_is_read_from_its_counts(stub: CivilApi, api: DragonflyApi) -> None:
    stub.pending_jobs = 3
    stub.batches["b"] = batch_body("b")

    intake = await api.read_intake_health()

    assert (intake.is_ok, intake.pending_jobs, intake.last_batch_at is not None) == (True, 3, True)
    assert "/api/v1/intake/health" not in stub.asked


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json={"ok": True, "data": None}),
        httpx.Response(200, json={"ok": True, "data": {"queue_depth": 0}}),
        httpx.Response(401, json={"error": "unauthorized", "message": "Missing key", "status_code": 401}),
    ],
)
async def test_an_intake_without_counts_is_unknown(answer: httpx.Response) -> None:
    async with api_that(("/api/v1/intake/state", answer), key=None) as api:
        with pytest.raises(SourceError):
            await api.read_intake_health()


async def test_an_intake_that_says_not_ok_is_not_ok() -> None:
    answer = httpx.Response(503, json={"ok": False, "data": None, "error": "no database"})

    async with api_that(("/api/v1/intake/state", answer)) as api:
        intake = await api.read_intake_health()

    assert (intake.is_ok, intake.pending_jobs) == (False, None)


async def test_a_file_is_uploaded_and_its_batch_is_read(stub: CivilApi, api: DragonflyApi) -> None:
    batch_id = await api.upload_csv("golden.csv", b"a,b\n", is_golden_path=True)
    batch = await api.read_batch(batch_id)

    assert stub.uploads == [("golden.csv", b"a,b\n", "simplicity")]
    assert (batch.id, batch.status, batch.source_system) == (batch_id, "completed", "simplicity")
    assert (batch.row_count, batch.validated, batch.failed) == (1, 1, 0)


async def test_a_refused_upload_says_why_and_changed_nothing(stub: CivilApi) -> None:
    async with serve(stub.app()) as base, DragonflyApi(base, Secret("wrong"), system=CIVIL.name) as api:
        with pytest.raises(SourceError, match="HTTP 401: unauthorized: Missing or invalid") as caught:
            await api.upload_csv("golden.csv", b"a,b\n")

    assert not caught.value.outcome_unknown
    assert stub.uploads == []


async def test_an_upload_whose_answer_names_no_batch_is_unknown() -> None:
    async with api_that(("/api/v1/intake/upload", httpx.Response(200, text="<html>"))) as api:
        with pytest.raises(SourceError) as caught:
            await api.upload_csv("golden.csv", b"a,b\n")

    assert caught.value.outcome_unknown


async def test_the_endpoints_are_those_of_the_vintage(stub: CivilApi, api: DragonflyApi) -> None:
    endpoints = await api.read_endpoints()

    assert Endpoint("GET", "/api/v1/intake/batch/{batch_id}") in endpoints
    assert (OF_JANUARY in endpoints) is stub.is_january


async def test_a_system_without_a_reader_is_unavailable() -> None:
    async with DragonflyApi("http://api.test", None, system="other") as api:
        with pytest.raises(SourceError, match="has no reader"):
            await api.read_health()
