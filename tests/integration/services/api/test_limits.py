"""Keys, rate limits and size limits of every endpoint in the OpenAPI document."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from services.api.uploads import FORM_OVERHEAD_BYTES
from tests.conftest import DatabaseUrls
from tests.integration.services.api.conftest import OpenApi

KEY = {"X-DRAGONFLY-API-KEY": "df_new"}
OPEN = {"/api/live", "/api/health", "/api/v1/intake/health"}  # the runbook asks these without a key
CLOSED = ("/api/v1/metrics", "/openapi.json")
NOWHERE = "postgresql://u:p@127.0.0.1:1/d"
BATCHES = "/api/v1/intake/batches"


def error_of(text: str) -> dict[str, str]:
    error: dict[str, str] = json.loads(text)["error"]
    assert set(error) == {"what", "why", "what_next"}
    return error


async def test_everything_but_health_wants_a_key(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app) as api:
        document = (await api.get("/openapi.json", headers=KEY)).json()
        answers = {
            (method, path): await api.request(method, path.replace("{batch_id}", "7"))
            for path, operations in document["paths"].items()
            for method in operations
        }
        closed = [await api.get(path) for path in CLOSED]
        opened = [await api.get(path, headers=KEY) for path in CLOSED]

    statuses = {path: answer.status_code for (_, path), answer in answers.items()}
    assert {path for path, status in statuses.items() if status == 200} == OPEN
    assert {status for path, status in statuses.items() if path not in OPEN} == {401}
    assert [answer.status_code for answer in closed] == [401, 401]
    assert [answer.status_code for answer in opened] == [200, 200]


@pytest.mark.parametrize(
    ("path", "setting"), [("/api/v1/metrics", "metrics_need_key"), ("/openapi.json", "openapi_needs_key")]
)
async def test_metrics_and_the_document_are_open_where_the_settings_report_so(
    open_api: OpenApi, path: str, setting: str
) -> None:
    async with open_api(NOWHERE, **{setting: False}) as api:
        answers = {one: (await api.get(one)).status_code for one in CLOSED}

    assert answers == {one: 200 if one == path else 401 for one in CLOSED}


async def test_metrics_and_the_document_stay_closed_while_there_is_no_key(open_api: OpenApi) -> None:
    async with open_api(NOWHERE, dragonfly_api_key=None) as api:
        answers = [await api.get(path) for path in CLOSED]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert "intake" not in " ".join(answer.json()["error"]["what"] for answer in answers)


async def test_the_pages_about_the_document_come_and_go_with_it(open_api: OpenApi) -> None:
    async with open_api(NOWHERE) as api:
        assert (await api.get("/docs")).status_code == 404
    async with open_api(NOWHERE, openapi_needs_key=False) as api:
        assert (await api.get("/docs")).status_code == 200


@pytest.mark.parametrize("needs_key", [True, False])
async def test_errors_name_a_document_that_is_there(open_api: OpenApi, needs_key: bool) -> None:
    async with open_api(NOWHERE, openapi_needs_key=needs_key) as api:
        wrong = [await api.get("/api/nowhere"), await api.get("/api/v1/intake/batches?limit=x", headers=KEY)]
        named = [re.findall(r"/[\w/.]*\w", answer.json()["error"]["what_next"]) for answer in wrong]
        found = {path: (await api.get(path, headers=KEY)).status_code for paths in named for path in paths}

    assert found == {"/openapi.json": 200}


async def test_the_document_reports_that_it_wants_a_key_and_how_it_refuses(
    open_api: OpenApi, database_urls: DatabaseUrls
) -> None:
    async with open_api(database_urls.app) as api:
        document = (await api.get("/openapi.json", headers=KEY)).json()

    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert bool(operation.get("security")) is (path not in OPEN)
            assert {"429"} <= set(operation["responses"])
            assert path in OPEN or {"401", "422", "503"} <= set(operation["responses"])
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_too_many_from_one_address_are_reported_when_to_come_back(
    open_api: OpenApi, database_urls: DatabaseUrls
) -> None:
    async with open_api(database_urls.app, requests_per_minute_per_address=3) as api:
        answers = [await api.get("/api/health") for _ in range(4)]
        elsewhere = await api.get("/api/health", headers={"X-Real-IP": "203.0.113.9"})
        live = await api.get("/api/live")

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert "too many" in error_of(answers[-1].text)["why"]
    assert (elsewhere.status_code, live.status_code) == (200, 200)


async def test_requests_of_one_key_are_limited_across_addresses(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app, requests_per_minute_per_key=2) as api:
        answers = [await api.get(BATCHES, headers=KEY | {"X-Real-IP": f"203.0.113.{n}"}) for n in range(3)]
        other = await api.get(BATCHES, headers={"X-DRAGONFLY-API-KEY": "df_old"})

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert other.status_code == 200


async def test_guesses_at_the_key_are_limited_too(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app, requests_per_minute_per_address=5) as api:
        guesses = [await api.get(BATCHES, headers={"X-DRAGONFLY-API-KEY": f"guess-{n}"}) for n in range(6)]

    assert [answer.status_code for answer in guesses] == [401] * 5 + [429]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_body_that_no_one_wants_is_not_read(
    open_api: OpenApi, database_urls: DatabaseUrls, method: str
) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 100:
            sent += 1
            yield b"x" * 65_536

    async with open_api(database_urls.app) as api:
        answer = await api.request(method, BATCHES, content=endless(), headers=KEY)

    assert answer.status_code == 405
    assert sent <= 1


async def test_a_fault_of_ours_shows_nothing_of_the_inside(
    open_api: OpenApi, database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("canary-secret at /srv/app.py")

    monkeypatch.setattr("services.api.intake.list_batches", broken)

    async with open_api(database_urls.app) as api:
        answer = await api.get(BATCHES, headers=KEY)

    assert answer.status_code == 500
    assert error_of(answer.text)["why"] == "an error in the API"
    assert "canary" not in answer.text


LIMIT = 1000


@pytest.mark.parametrize(("beyond", "status"), [(0, 400), (1, 413)])
async def test_a_file_that_is_declared_too_large_is_refused_before_a_byte_of_it_is_read(
    open_api: OpenApi, database_urls: DatabaseUrls, beyond: int, status: int
) -> None:
    """Just within the limit, the API asks for the body, and none follows."""
    asked = 0

    async def nothing() -> Any:
        nonlocal asked
        asked += 1
        yield b""

    declared = LIMIT + FORM_OVERHEAD_BYTES + beyond
    headers = KEY | {"Content-Length": str(declared), "Content-Type": "multipart/form-data; boundary=x"}
    async with open_api(database_urls.app, max_upload_bytes=LIMIT) as api:
        answer = await api.post("/api/v1/intake/upload", content=nothing(), headers=headers)

    assert (answer.status_code, asked) == (status, int(status == 400))
    assert ("larger than 1,000 bytes" in error_of(answer.text)["why"]) is (status == 413)


@pytest.mark.parametrize("kind", ["multipart/form-data", "Multipart/Form-Data", "MULTIPART/FORM-DATA"])
async def test_the_kind_of_the_form_counts_in_any_case(
    open_api: OpenApi, database_urls: DatabaseUrls, kind: str
) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nno CSV\r\n--x--\r\n'
    async with open_api(database_urls.app) as api:
        answer = await api.post(
            "/api/v1/intake/upload", content=body, headers=KEY | {"Content-Type": f"{kind}; boundary=x"}
        )

    assert answer.status_code == 422  # the form was read as far as the file


async def test_addresses_of_one_subscriber_share_the_limit(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app, requests_per_minute_per_address=3) as api:
        same = [await api.get("/api/health", headers={"X-Real-IP": f"2001:db8:1:2:{n}::1"}) for n in range(4)]
        other = await api.get("/api/health", headers={"X-Real-IP": "2001:db8:1:3::1"})

    assert [answer.status_code for answer in same] == [200, 200, 200, 429]
    assert other.status_code == 200
