"""The database takes the API's packets and never answers: 503 with `Retry-After`, and nothing is stored."""

from __future__ import annotations

import asyncio

import httpx
import psycopg
import pytest

from services.api import uploads
from tests.conftest import DatabaseUrls
from tests.integration.services.api.conftest import OpenApi
from tests.integration.services.conftest import DatabaseGate
from tests.outside import PATIENCE_S

KEY = {"X-DRAGONFLY-API-KEY": "df_new"}
BATCH = "00000000-0000-4000-8000-000000000000"
FILE = {"file": ("a.csv", b"Case Number,Plaintiff,Defendant,Judgment Amount,Filing Date,County\n1,2,3,4,5,6\n")}


def test_a_sender_gets_an_error_within_10_s() -> None:
    assert uploads.START_S + uploads.ANSWER_S < 10
    assert uploads.NOTE_TIMEOUT_S < 10


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "START_S", 0.5)
    monkeypatch.setattr(uploads, "ANSWER_S", 0.3)


async def upload(api: httpx.AsyncClient) -> httpx.Response:
    async with asyncio.timeout(PATIENCE_S):  # below the two minutes that the largest file may take
        return await api.post("/api/v1/intake/upload", files=FILE, headers=KEY)


@pytest.mark.parametrize("has_session", [True, False], ids=["with an idle session", "with a new session"])
async def test_an_upload_into_silence_is_reported_when_to_come_back(
    open_api: OpenApi, database_gate: DatabaseGate, database_urls: DatabaseUrls, has_session: bool
) -> None:
    async with open_api(database_gate.dsn) as api:
        if has_session:
            response = await api.get("/api/v1/intake/batches", headers=KEY)
            assert response.status_code == 200
        database_gate.freeze()
        answers = await asyncio.gather(*(upload(api) for _ in range(7)))  # more than there are sessions

    for answer in answers:
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert answer.json()["error"]["what"] == "Nothing was changed"
    async with await psycopg.AsyncConnection.connect(database_urls.owner) as conn:
        row = await (await conn.execute("SELECT count(*) FROM intake.simplicity_batches")).fetchone()
    assert row == (0,)


async def test_an_upload_that_waits_for_a_lock_is_reported_so(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    """The server answers, but the statement does not: for the client that takes as long."""
    async with await psycopg.AsyncConnection.connect(database_urls.owner) as conn, open_api(database_urls.app) as api:
        await conn.execute("LOCK TABLE intake.simplicity_batches IN ACCESS EXCLUSIVE MODE")
        answer = await upload(api)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


@pytest.mark.parametrize("path", ["batches", f"batches/{BATCH}", f"batches/{BATCH}/failed-rows", "health"])
async def test_every_other_question_is_answered_too(open_api: OpenApi, database_gate: DatabaseGate, path: str) -> None:
    async with open_api(database_gate.dsn, health_timeout_s=0.3) as api:
        database_gate.freeze()
        async with asyncio.timeout(PATIENCE_S):
            answer = await api.get(f"/api/v1/intake/{path}", headers=KEY)

    assert answer.status_code == 503
    assert path == "health" or answer.headers["retry-after"] == "10"
