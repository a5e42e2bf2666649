"""Each endpoint against its own OpenAPI document: the real process over HTTP, on a real database, with a key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import schemathesis.openapi
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.api.access import KEY_HEADER
from tests.conftest import DatabaseUrls
from tests.integration.services.api.serving import ServedApi, serve_api

KEY = "df_new"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
INTERNALS = ("Traceback", 'File "', "psycopg", "postgresql://", "dragonfly_app")
EXAMPLES = 25  # per operation


@pytest.fixture
def api(database_urls: DatabaseUrls) -> Iterator[ServedApi]:
    with psycopg.connect(database_urls.owner) as conn:
        conn.execute("INSERT INTO intake.simplicity_batches (file_name, sha256) VALUES ('f', repeat('a', 64))")
    with serve_api(database_urls.app, DRAGONFLY_API_KEY=KEY) as served:
        yield served


def test_the_answers_are_as_documented(api: ServedApi) -> None:
    schema = schemathesis.openapi.from_url(f"{api.base}/openapi.json", headers={KEY_HEADER: KEY})
    operations: list[Any] = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]
    asked: set[int] = set()

    for operation in operations:
        _holds(operation, api, asked)

    assert len(operations) == sum(map(len, api.get("/openapi.json", **{KEY_HEADER: KEY}).json()["paths"].values()))
    assert {200, 404, 422} <= asked  # requests got as far as the handlers
    assert api.is_running


def _holds(operation: Any, api: ServedApi, asked: set[int]) -> None:
    """Assert that the answer to each example is one that the document has."""

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def holds(case: Any) -> None:
        answer = case.call(base_url=api.base, headers={"X-DRAGONFLY-API-KEY": KEY})
        asked.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)
        assert [one for one in INTERNALS if one in answer.text] == []

    holds()
