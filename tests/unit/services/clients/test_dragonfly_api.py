from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import httpx
import pytest

from services.clients.dragonfly_api.client import DragonflyApi
from services.clients.dragonfly_api.http import MAX_ANSWER_BYTES
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK

HEALTH = {
    "status": "ok",
    "environment": "prod",
    "git_sha": "a1b2c3d4",
    "db_connected": True,
    "timestamp": "2025-12-20T10:30:00Z",
}


def api_that(
    answer: Callable[[httpx.Request], httpx.Response], *, key: str | None = "k", timeout_s: float = 5
) -> DragonflyApi:
    secret = Secret(key) if key else None
    return DragonflyApi(
        "http://api.test/", secret, timeout_s=timeout_s, transport=httpx.MockTransport(answer), system=RUNBOOK.name
    )


async def test_reads_the_health_that_the_runbook_shows() -> None:
    async with api_that(lambda _: httpx.Response(200, json=HEALTH)) as api:
        health = await api.read_health()

    assert health.is_ok
    assert health.timestamp == datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
    assert health.elapsed_ms > 0


async def test_takes_a_503_with_the_usual_body_as_an_answer() -> None:
    body = HEALTH | {"status": "degraded", "db_connected": False}

    async with api_that(lambda _: httpx.Response(503, json=body)) as api:
        health = await api.read_health()

    assert (health.http_status, health.db_connected, health.is_ok) == (503, False, False)


async def test_reads_an_intake_that_never_had_a_batch() -> None:
    body = {"status": "ok", "db_connected": True, "pending_jobs": 3, "last_batch_at": None}

    async with api_that(lambda _: httpx.Response(200, json=body)) as api:
        intake = await api.read_intake_health()

    assert (intake.pending_jobs, intake.last_batch_at, intake.is_ok) == (3, None, True)


async def test_the_runbooks_own_answer_of_the_intake_is_enough() -> None:
    async with api_that(lambda _: httpx.Response(200, json=HEALTH)) as api:
        intake = await api.read_intake_health()

    assert (intake.is_ok, intake.pending_jobs, intake.last_batch_at) == (True, None, None)


@pytest.mark.parametrize("lacking", ["environment", "git_sha", "db_connected", "timestamp"])
@pytest.mark.parametrize("odd", [None, "nothing", {"no": "value"}])
async def test_api_health_field_is_none_when_missing_or_malformed(lacking: str, odd: object) -> None:
    body = {name: value for name, value in HEALTH.items() if name != lacking}
    if odd != "nothing":
        body[lacking] = odd

    async with api_that(lambda _: httpx.Response(200, json=body)) as api:
        health = await api.read_health()

    assert getattr(health, lacking) is None
    assert health.is_ok
    others = {"environment": "prod", "git_sha": "a1b2c3d4", "db_connected": True}
    assert all(getattr(health, name) == value for name, value in others.items() if name != lacking)


async def test_reports_that_another_server_answered() -> None:
    page = httpx.Response(503, text="<html>Application failed to respond</html>")

    async with api_that(lambda _: page) as api:
        with pytest.raises(SourceError, match="503 with an answer that is not the API's own") as caught:
            await api.read_health()

    assert caught.value.retryable


async def test_bounds_an_answer_that_drips() -> None:
    class Dripping(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(0.01)
                yield b" "

    async with api_that(lambda _: httpx.Response(200, stream=Dripping()), timeout_s=0.1) as api:
        with pytest.raises(SourceError, match=r"no answer within 0\.1 s"):
            await api.read_health()


async def test_stops_reading_an_endless_answer() -> None:
    async with api_that(lambda _: httpx.Response(200, content=b" " * 1_000_001)) as api:
        with pytest.raises(SourceError, match="longer than"):
            await api.read_health()


async def test_uploads_with_the_key_and_returns_the_batch_id() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(202, json={"batch_id": "b-1"})

    async with api_that(answer, key="df_1") as api:
        assert await api.upload_csv("a.csv", b"x") == "b-1"

    assert seen[0].headers["X-DRAGONFLY-API-KEY"] == "df_1"
    assert seen[0].headers["content-type"].startswith("multipart/form-data")


async def test_passes_on_why_an_upload_was_refused() -> None:
    error = {"error": {"what": "Upload refused", "why": "columns are missing", "what_next": "…"}}

    async with api_that(lambda _: httpx.Response(422, json=error)) as api:
        with pytest.raises(SourceError, match="HTTP 422: Upload refused: columns are missing") as caught:
            await api.upload_csv("a.csv", b"x")

    assert (caught.value.retryable, caught.value.outcome_unknown) == (False, False)


async def test_does_not_claim_that_an_interrupted_upload_did_nothing() -> None:
    def break_off(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("reset")

    async with api_that(break_off) as api:
        with pytest.raises(SourceError) as caught:
            await api.upload_csv("a.csv", b"x")

    assert caught.value.outcome_unknown


@pytest.mark.parametrize(
    ("answer", "unknown"),
    [
        (httpx.Response(400), False),
        (httpx.Response(429), False),
        (httpx.Response(409, json={"error": {"what": "Known", "why": "stored", "what_next": "…"}}), False),
        (httpx.Response(408), True),
        (httpx.Response(409, text="<html>"), True),
        (httpx.Response(302), True),
        (httpx.Response(502), True),
        (httpx.Response(202, text="<html>"), True),
        (httpx.Response(202, content=b"x" * (MAX_ANSWER_BYTES + 1)), True),
    ],
)
async def test_only_a_known_refusal_of_an_upload_is_certain(answer: httpx.Response, unknown: bool) -> None:
    async with api_that(lambda _: answer) as api:
        with pytest.raises(SourceError) as caught:
            await api.upload_csv("a.csv", b"x")

    assert caught.value.outcome_unknown is unknown


async def test_refuses_to_upload_without_a_key() -> None:
    async with api_that(lambda _: httpx.Response(500), key=None) as api:
        with pytest.raises(SourceError, match="DRAGONFLY_API_KEY is not set"):
            await api.upload_csv("a.csv", b"x")


async def test_api_answer_has_no_characters_that_postgres_cannot_store() -> None:
    async with api_that(lambda _: httpx.Response(200, json=HEALTH | {"git_sha": "a1\0b2"})) as api:
        assert (await api.read_health()).git_sha == "a1\ufffdb2"


async def test_an_error_of_the_api_is_masked_before_it_goes_on() -> None:
    """Another version of the API may answer anything."""
    detail = {"what": "Nothing was stored", "why": "postgresql://bot:hunter2@db/x refused plaintiff Jane Roe"}
    async with api_that(lambda _: httpx.Response(503, json={"error": detail})) as api:
        with pytest.raises(SourceError) as caught:
            await api.read_batch("b")

    assert caught.value.why == "HTTP 503: Nothing was stored: … refused plaintiff …"
