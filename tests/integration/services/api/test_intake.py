from __future__ import annotations

import asyncio
import json
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.conftest import DatabaseUrls
from tests.integration.services.api.conftest import OpenApi

DEMO = Path("services/sandbox/data/demo_batch.csv").read_bytes()
HEADER = b"Case Number,Plaintiff,Defendant,Judgment Amount,Filing Date,County\n"
KEY = {"X-DRAGONFLY-API-KEY": "df_new"}
UPLOAD = "/api/v1/intake/upload"


async def rows_of(dsn: str, query: str) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(dsn) as conn:
        return await (await conn.execute(query.encode())).fetchall()


def upload(content: bytes, **more: Any) -> dict[str, Any]:
    return {"files": {"file": ("batch.csv", content, "text/csv")}, "headers": KEY} | more


def error_of(response: httpx.Response) -> dict[str, str]:
    error = response.json()["error"]
    assert set(error) == {"what", "why", "what_next"}
    return dict(error)


async def test_stores_the_file_and_queues_one_job(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app) as api:
        response = await api.post(UPLOAD, **upload(DEMO))

    answer = response.json()
    assert (response.status_code, answer["rows"], answer["status"]) == (202, 12, "received")
    [(status, row_count)] = await rows_of(
        database_urls.owner, "SELECT status, row_count FROM intake.simplicity_batches"
    )
    assert (status, row_count) == ("received", 12)
    jobs = await rows_of(database_urls.owner, "SELECT id::text, job_type, status, payload FROM ops.job_queue")
    assert jobs == [(answer["job_id"], "simplicity_ingest", "pending", {"batch_id": answer["batch_id"]})]
    events = await rows_of(database_urls.owner, "SELECT event_type FROM ops.intake_logs")
    assert events == [("batch_received",)]


async def test_keeps_the_file_as_it_came(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    strange = ["a\tb", "back\\slash \\N", 'quo"te', "two\nlines", "Zoë 日本 \\u0000", " x "]
    line = ",".join('"' + cell.replace('"', '""') + '"' for cell in strange).encode()
    content = b"\xef\xbb\xbf" + HEADER + b"\n,,,,,\n" + line

    async with open_api(database_urls.app) as api:
        response = await api.post(UPLOAD, **upload(content))

    assert response.json()["rows"] == 1
    assert await rows_of(database_urls.owner, "SELECT content FROM intake.simplicity_files") == [(content,)]
    batches = "SELECT sha256, header, file_name FROM intake.simplicity_batches"
    expected = (sha256(content).hexdigest(), HEADER.decode().strip(), "batch.csv")
    assert await rows_of(database_urls.owner, batches) == [expected]


async def test_stores_a_file_that_does_not_fit_into_one_block(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    content = HEADER + b"".join(b"C-%d,Plaintiff,Defendant,100,1/2/2024,Kings\n" % n for n in range(20_000))

    async with open_api(database_urls.app) as api:
        response = await api.post(UPLOAD, **upload(content))

    assert response.json()["rows"] == 20_000
    blocks = await rows_of(
        database_urls.owner, "SELECT block_number, content FROM intake.simplicity_files ORDER BY block_number"
    )
    assert [number for number, _ in blocks] == [1, 2, 3, 4]
    assert b"".join(block for _, block in blocks) == content


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b" \r\n\n", "it is empty"),
        (b"a,b\n1,2\n", "missing columns: Case Number, Plaintiff"),
        (b"%PDF-1.7\n", "it is a PDF, not a CSV file"),
        (b"Case Number,Plaintiff,County\n1,2,3\n", "missing columns: Defendant, Judgment Amount, Filing Date"),
        (HEADER.replace(b"County", b"Venue,Court County") + b"1,2,3,4,5,6,7\n", "columns named twice: County"),
        (HEADER, "a header and no rows"),
        (HEADER + b"\n,,,,,\n , \t,,,,\n", "a header and no rows"),
        (
            HEADER + b"1,2,3,4,31/03/2024,Kings\n2,2,3,4,04/03/2024,Kings\n",
            "its dates have the day first (Filing Date of row 1), so that 04/03/2024 would be read as April 3",
        ),
        (
            HEADER + b'1,2,3,4,"=""31/03/2024""",Kings\n2,2,3,4,04/03/2024,Kings\n3,2,3,4,03/31/2024,Kings\n',
            "its dates have two orders, 1 with the day first (Filing Date of row 1) and 1 with the month first (row 3)",
        ),
        (HEADER + b"1,Ren\x81,3,4,5,6\n", "it is neither UTF-8 nor Windows-1252"),
        (HEADER + b'1,"2,3,4,5,6\n', "it is not CSV at line"),
        (HEADER + b"1,2\x003,3,4,5,6\n", "NUL characters at line"),
        (HEADER + b'"' + b"x" * 200_000 + b'"', "it is not CSV at line"),
        (HEADER + b"1,2,3,4,5,6\n" * 9000 + b'1,"2,3,4,5,6\n', "it is not CSV at line"),
    ],
)
async def test_refuses_an_unusable_file_whole(
    open_api: OpenApi, database_urls: DatabaseUrls, content: bytes, why: str
) -> None:
    async with open_api(database_urls.app) as api:
        response = await api.post(UPLOAD, **upload(content))

    assert response.status_code == 422
    assert why in error_of(response)["why"]
    stored = "SELECT (SELECT count(*) FROM intake.simplicity_batches), (SELECT count(*) FROM ops.job_queue)"
    assert await rows_of(database_urls.owner, stored) == [(0, 0)]
    reported = "SELECT event_type, source_system, details FROM ops.intake_logs"
    expected = ("upload_refused", "simplicity", {"why": error_of(response)["why"]})
    assert await rows_of(database_urls.owner, reported) == [expected]


@pytest.mark.parametrize("key", ["df_new", "df_old"])
async def test_accepts_both_keys_during_a_rotation(open_api: OpenApi, database_urls: DatabaseUrls, key: str) -> None:
    async with open_api(database_urls.app) as api:
        response = await api.post(UPLOAD, **upload(DEMO, headers={"X-DRAGONFLY-API-KEY": key}))

    assert response.status_code == 202


@pytest.mark.parametrize("key", [None, "", "df", "df_new,df_old", "df_new ", "dféß"])
async def test_refuses_other_keys_before_reading_the_file(
    open_api: OpenApi, database_urls: DatabaseUrls, key: str | None
) -> None:
    headers = {} if key is None else {b"X-DRAGONFLY-API-KEY": key.encode()}

    async with open_api(database_urls.app) as api:
        uploaded = await api.post(UPLOAD, content=b"never read", headers=headers)
        asked = await api.get(f"/api/v1/intake/batches/{uuid4()}", headers=headers)

    assert (uploaded.status_code, asked.status_code) == (401, 401)
    assert "no valid key" in error_of(uploaded)["why"]


async def test_is_closed_without_a_key_of_its_own(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app, dragonfly_api_key=None) as api:
        response = await api.post(UPLOAD, **upload(DEMO))

    assert response.status_code == 503
    assert error_of(response)["why"] == "DRAGONFLY_API_KEY is not set on this service"


async def test_refuses_a_file_that_is_too_large(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async def without_length() -> Any:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        for _ in range(4):
            yield b"x" * 50_000

    form = KEY | {"content-type": "multipart/form-data; boundary=b"}
    async with open_api(database_urls.app, max_upload_bytes=100_000) as api:
        declared = await api.post(UPLOAD, **upload(HEADER + b"x" * 200_000))
        undeclared = await api.post(UPLOAD, content=without_length(), headers=form)

    assert (declared.status_code, undeclared.status_code) == (413, 413)
    assert error_of(declared)["why"] == "the file is larger than 100,000 bytes"


@pytest.mark.parametrize(
    "request_parts",
    [
        {"content": HEADER, "headers": KEY | {"content-type": "text/csv"}},
        {"content": b"x", "headers": KEY | {"content-type": "multipart/form-data"}},
        {"content": b"x", "headers": KEY | {"content-type": "multipart/form-data; boundary=b"}},
        {"files": {"other": ("batch.csv", HEADER)}, "headers": KEY},
        {"data": {"file": "text"}, "files": {"other": ("batch.csv", HEADER)}, "headers": KEY},
        {"files": [("file", ("a.csv", HEADER)), ("file", ("b.csv", HEADER))], "headers": KEY},
    ],
)
async def test_explains_how_to_send_a_file(
    open_api: OpenApi, database_urls: DatabaseUrls, request_parts: dict[str, Any]
) -> None:
    async with open_api(database_urls.app) as api:
        response = await api.post(UPLOAD, **request_parts)

    assert response.status_code == 400
    assert "curl -F file=@batch.csv" in error_of(response)["what_next"]


async def test_refuses_a_source_that_no_one_can_read(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app) as api:
        response = await api.post(UPLOAD, **upload(DEMO, data={"source_system": "other"}))

    assert response.status_code == 422


async def test_shows_a_batch(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app) as api:
        batch_id = (await api.post(UPLOAD, **upload(DEMO))).json()["batch_id"]
        batch = (await api.get(f"/api/v1/intake/batches/{batch_id}", headers=KEY)).json()
        unknown = await api.get(f"/api/v1/intake/batches/{uuid4()}", headers=KEY)
        malformed = await api.get("/api/v1/intake/batches/7", headers=KEY)

    assert batch.pop("created_at").endswith("Z")
    assert batch == {
        "id": batch_id,
        "status": "received",
        "source_system": "simplicity",
        "row_count": 12,
        "validated": 0,
        "failed": 0,
    }
    assert (unknown.status_code, malformed.status_code) == (404, 422)
    assert error_of(malformed)["why"] == "malformed: batch_id"


async def test_refuses_the_same_file_unless_forced(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app) as api:
        first = await api.post(UPLOAD, **upload(DEMO))
        again = await api.post(UPLOAD, **upload(DEMO))
        forced = await api.post(UPLOAD, **upload(DEMO, data={"force": "true"}))
        unclear = await api.post(UPLOAD, **upload(DEMO, data={"force": "perhaps"}))

    assert [answer.status_code for answer in (first, again, forced, unclear)] == [202, 409, 202, 422]
    assert first.json()["batch_id"] in error_of(again)["why"]
    assert await rows_of(database_urls.owner, "SELECT count(*) FROM ops.job_queue") == [(2,)]


async def test_marks_the_batch_of_a_golden_path(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app) as api:
        real = await api.post(UPLOAD, **upload(DEMO))
        golden = await api.post(UPLOAD, **upload(DEMO + b"\n1,2,3,4,5,6\n", data={"golden_path": "true"}))
        unclear = await api.post(UPLOAD, **upload(DEMO, data={"golden_path": "1"}))

    marks = await rows_of(database_urls.owner, "SELECT id::text, is_golden_path FROM intake.simplicity_batches")
    assert dict(marks) == {real.json()["batch_id"]: False, golden.json()["batch_id"]: True}
    assert (unclear.status_code, error_of(unclear)["why"]) == (422, "`golden_path` is neither `true` nor `false`")


async def test_stores_one_of_two_simultaneous_uploads_of_a_file(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app) as api:
        answers = await asyncio.gather(*(api.post(UPLOAD, **upload(DEMO)) for _ in range(3)))

    assert sorted(answer.status_code for answer in answers) == [202, 409, 409]


async def test_accepts_again_what_failed_before(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app) as api:
        await api.post(UPLOAD, **upload(DEMO))
        async with await psycopg.AsyncConnection.connect(database_urls.owner) as conn:
            await conn.execute("UPDATE intake.simplicity_batches SET status = 'failed'")
        again = await api.post(UPLOAD, **upload(DEMO))

    assert again.status_code == 202


async def test_lists_the_latest_batches(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app) as api:
        older = (await api.post(UPLOAD, **upload(DEMO))).json()["batch_id"]
        newer = (await api.post(UPLOAD, **upload(DEMO + b"\n1,2,3,4,5,6\n"))).json()["batch_id"]
        both = await api.get("/api/v1/intake/batches", headers=KEY)
        one = await api.get("/api/v1/intake/batches?limit=1", headers=KEY)
        too_many = await api.get("/api/v1/intake/batches?limit=501", headers=KEY)
        closed = await api.get("/api/v1/intake/batches")

    assert [batch["id"] for batch in both.json()] == [newer, older]
    assert [batch["id"] for batch in one.json()] == [newer]
    assert (too_many.status_code, closed.status_code) == (422, 401)


@pytest.mark.parametrize("page_rows", [1, 2, 3])
async def test_gives_failed_rows_as_csv(
    open_api: OpenApi, database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch, page_rows: int
) -> None:
    """Page by page."""
    monkeypatch.setattr("services.api.intake.PAGE_ROWS", page_rows)
    async with open_api(database_urls.app) as api:
        batch_id = (await api.post(UPLOAD, **upload(DEMO))).json()["batch_id"]
        async with await psycopg.AsyncConnection.connect(database_urls.owner) as conn:
            await conn.execute(
                "INSERT INTO intake.simplicity_raw_rows (batch_id, row_number, status, raw, error)"
                " SELECT %s::uuid, n, 'failed', '', 'County: empty; the line has more cells than the header'"
                " FROM unnest(ARRAY[3, 7]) AS n",
                (batch_id,),
            )
        path = f"/api/v1/intake/batches/{batch_id}/failed-rows"
        answer = await api.get(path, headers=KEY)
        closed = await api.get(path)
        unknown = await api.get(f"/api/v1/intake/batches/{uuid4()}/failed-rows", headers=KEY)

    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.splitlines() == [
        "row_number,column,reason",
        "3,County,empty",
        "3,,the line has more cells than the header",
        "7,County,empty",
        "7,,the line has more cells than the header",
    ]
    assert (closed.status_code, unknown.status_code) == (401, 404)


async def test_reports_503_while_the_database_is_away(open_api: OpenApi) -> None:
    async with open_api("postgresql://u:p@127.0.0.1:1/d") as api:
        response = await api.post(UPLOAD, **upload(DEMO))

    assert response.status_code == 503
    assert error_of(response)["why"] == "the database failed: server not reachable"


async def test_names_a_missing_grant(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with await psycopg.AsyncConnection.connect(database_urls.owner) as conn:
        await conn.execute("REVOKE INSERT ON ops.job_queue FROM dragonfly_app")

    async with open_api(database_urls.app) as api:
        response = await api.post(UPLOAD, **upload(DEMO))

    assert response.status_code == 503
    assert "permission denied for table job_queue" in error_of(response)["why"]
    assert await rows_of(database_urls.owner, "SELECT count(*) FROM intake.simplicity_batches") == [(0,)]


async def test_repeats_nothing_personal(
    open_api: OpenApi, database_urls: DatabaseUrls, caplog: pytest.LogCaptureFixture
) -> None:
    canary = b"canary-name"
    files = [HEADER + b'1,"' + canary + b",3,4,5,6\n", b"Case Number," + canary + b"\n", HEADER + canary + b"\x81\n"]

    async with open_api(database_urls.app) as api:
        answers = [await api.post(UPLOAD + "?name=canary-name", **upload(content)) for content in files]

    assert [answer.status_code for answer in answers] == [422] * 3
    assert "canary" not in json.dumps([answer.text for answer in answers]) + caplog.text


PAYMENTS = b"Case Number,County,Payment Amount,Payment Date,Reference\nC-1,Kings,5,1/2/2025,R-1\n"


async def test_stores_a_file_of_payments_as_one(open_api: OpenApi, database_urls: DatabaseUrls) -> None:
    async with open_api(database_urls.app) as api:
        response = await api.post(UPLOAD, **upload(PAYMENTS, data={"source_system": "payments"}))

    assert (response.status_code, response.json()["rows"]) == (202, 1)
    batches = "SELECT source_system, row_count FROM intake.simplicity_batches"
    assert await rows_of(database_urls.owner, batches) == [("payments", 1)]
    events = "SELECT event_type, source_system FROM ops.intake_logs"
    assert await rows_of(database_urls.owner, events) == [("batch_received", "payments")]


@pytest.mark.parametrize(
    ("content", "fields", "why"),
    [
        (PAYMENTS, {}, "missing columns: Plaintiff, Defendant"),
        (HEADER + b"1,2,3,4,5,6\n", {"source_system": "payments"}, "Payment Date, Reference"),
        (PAYMENTS, {"source_system": "payments", "golden_path": "true"}, "marks a file of judgments"),
        (PAYMENTS, {"source_system": "letters"}, "source_system is unknown"),
    ],
)
async def test_refuses_a_file_of_another_kind_than_it_is_reported_to_be(
    open_api: OpenApi, database_urls: DatabaseUrls, content: bytes, fields: dict[str, str], why: str
) -> None:
    async with open_api(database_urls.app) as api:
        response = await api.post(UPLOAD, **upload(content, data=fields))

    assert response.status_code == 422
    assert why in error_of(response)["why"]
    assert await rows_of(database_urls.owner, "SELECT count(*) FROM intake.simplicity_batches") == [(0,)]
