"""The log lines of the API about its requests."""

from __future__ import annotations

import logging

import httpx
import pytest
from fastapi import FastAPI, Response

from services.api.app import RequestsSeen
from services.api.health import Metrics


async def test_a_probe_is_logged_while_it_fails_and_once_when_it_works_again(caplog: pytest.LogCaptureFixture) -> None:
    app, statuses = FastAPI(), iter([200, 503, 503, 200, 200])

    @app.get("/api/health")
    async def health() -> Response:
        return Response(status_code=next(statuses))

    transport = httpx.ASGITransport(RequestsSeen(app, Metrics(environment="prod", git_sha="a1b2c3d4")))
    with caplog.at_level(logging.INFO, logger="services.api.app"):
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            for _ in range(5):
                await client.get("/api/health")

    assert [record.getMessage().split()[2] for record in caplog.records] == ["503", "503", "200"]
