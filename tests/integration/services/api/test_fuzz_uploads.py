"""Any bytes as a file, over the real API on a real database: a well-formed answer, and all of the file or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import DatabaseUrls
from tests.integration.services.api.conftest import OpenApi

KEY = {"X-DRAGONFLY-API-KEY": "df_new"}
UPLOAD = "/api/v1/intake/upload"
HEADER = "Case Number,Plaintiff,Defendant,Judgment Amount,Filing Date,County"
ANSWERS = {202, 400, 409, 413, 422}
INTERNALS = ("Traceback", 'File "', ".py", "psycopg", "postgresql://", "SELECT ", "INSERT ", "COPY ")
STORED = """
    SELECT count(*), count(*) FILTER (WHERE batch.sha256 <> (
        SELECT encode(sha256(coalesce(string_agg(file.content, '' ORDER BY file.block_number), '')), 'hex')
        FROM intake.simplicity_files AS file WHERE file.batch_id = batch.id))
    FROM intake.simplicity_batches AS batch
"""

SUPPRESSED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
CELLS = st.text(max_size=20) | st.sampled_from(["$1,200.00", "(3.50)", "1/2/2024", "Kings", '"', "\0", "\r\n", "=1+1"])
DELIMITERS = st.sampled_from([",", ";", "\t", "|"])
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16", "latin-1"])


@st.composite
def nearly_csv(draw: st.DrawFn) -> bytes:
    """The expected header, perhaps damaged, and lines that may or may not be its rows."""
    delimiter = draw(DELIMITERS)
    header = delimiter.join(draw(st.permutations(HEADER.split(",")))[: draw(st.integers(4, 6))])
    lines = [delimiter.join(draw(st.lists(CELLS, max_size=8))) for _ in range(draw(st.integers(0, 5)))]
    return "\n".join([header, *lines]).encode(draw(ENCODINGS), errors="replace")


NAMES = st.text(min_size=1, max_size=300)
FIELDS = st.dictionaries(
    st.sampled_from(["force", "golden_path", "source_system", "other"]), st.text(max_size=10), max_size=3
)
FORM = "multipart/form-data; boundary=b"
TYPES = st.sampled_from([FORM, "multipart/form-data", 'multipart/form-data; boundary=""', "text/csv"]) | st.text(
    st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40
)


@dataclass
class Client:
    """The API in its own event loop, for tests that are not coroutines."""

    runner: asyncio.Runner
    api: httpx.AsyncClient
    dsn: str

    def post(self, **request: Any) -> httpx.Response:
        return self.runner.run(self.api.post(UPLOAD, headers=KEY, **request))

    def stored(self) -> tuple[int, int]:
        """Return the number of batches, and of those whose stored bytes differ from their file."""
        with psycopg.connect(self.dsn) as conn:
            row = conn.execute(STORED).fetchone()
            assert row
            return row[0], row[1]


@pytest.fixture
def client(open_api: OpenApi, database_urls: DatabaseUrls) -> Iterator[Client]:
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        opened = open_api(database_urls.app, max_upload_bytes=50_000, requests_per_minute_per_key=10**6,
                          requests_per_minute_per_address=10**6)  # fmt: skip
        api = runner.run(opened.__aenter__())
        stack.callback(lambda: runner.run(opened.__aexit__(None, None, None)))
        yield Client(runner, api, database_urls.owner)


def check(answer: httpx.Response) -> None:
    assert answer.status_code in ANSWERS, (answer.status_code, answer.text)
    if answer.status_code != 202:
        assert set(answer.json()) == {"error"}
        assert set(answer.json()["error"]) == {"what", "why", "what_next"}
    assert [one for one in INTERNALS if one in answer.text] == []


@settings(max_examples=60, suppress_health_check=SUPPRESSED)
@given(content=st.binary(max_size=2000) | nearly_csv(), name=NAMES, fields=FIELDS)
def test_any_file_is_taken_whole_or_refused(client: Client, content: bytes, name: str, fields: dict[str, str]) -> None:
    before, _ = client.stored()

    answer = client.post(files={"file": (name, content, "text/csv")}, data=fields)

    check(answer)
    after, torn = client.stored()
    assert (after - before, torn) == (1 if answer.status_code == 202 else 0, 0)


@settings(max_examples=60, suppress_health_check=SUPPRESSED)
@given(body=st.binary(max_size=3000), content_type=TYPES)
def test_any_body_is_answered(client: Client, body: bytes, content_type: str) -> None:
    answer = client.runner.run(
        client.api.post(UPLOAD, content=body, headers=KEY | {"content-type": content_type.strip()})
    )

    check(answer)
    assert answer.status_code != 202


@settings(max_examples=40, suppress_health_check=SUPPRESSED)
@given(
    head=st.binary(max_size=200),
    disposition=st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=60),
    content=st.binary(max_size=400),
)
def test_any_part_of_a_form_is_answered(client: Client, head: bytes, disposition: str, content: bytes) -> None:
    part = b"Content-Disposition: " + disposition.encode("latin-1") + b"\r\n" + head + b"\r\n\r\n" + content
    body = b"--b\r\n" + part + b"\r\n--b--\r\n"

    answer = client.runner.run(client.api.post(UPLOAD, content=body, headers=KEY | {"content-type": FORM}))

    check(answer)
