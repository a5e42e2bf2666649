"""The local Railway, served over real HTTP, and a client for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from services.clients.railway.client import RailwayClient
from services.clients.railway.transport import TokenKind
from services.domain.secrets import Secret
from services.sandbox.railway.control import build_railway_router
from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import Pace, ServiceSpec
from tests.outside import PATIENCE_S
from tests.serving import serve

TOKEN = "made-up-token"
LIVE = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
TALK = "import sys, time; [print('line', n) for n in range(8)]; sys.stderr.write('bad news\\n'); time.sleep(600)"
PACE = Pace(0.0, 0.0, 0.05, PATIENCE_S, 0.05, 2, 2.0, 0.05, 1)


@pytest.fixture
async def railway(tmp_path: Path) -> AsyncIterator[LocalRailway]:
    """A local Railway in which all three services serve."""
    services = [
        ServiceSpec("dragonfly-api", ("python", "-c", LIVE), {"DRAGONFLY_API_KEY": "k"}, 1, "/api/live", True),
        ServiceSpec("dragonfly-worker-ingest", ("python", "-c", TALK), {"SUPABASE_MODE": "dev"}, 2),
        ServiceSpec("dragonfly-worker-enforcement", ("python", "-c", TALK)),
    ]
    local = LocalRailway(services, directory=tmp_path, working_directory=tmp_path, token=TOKEN, pace=PACE)
    await local.start()
    try:
        await local.wait_until_serving(PATIENCE_S)
        yield local
    finally:
        await local.stop()


@pytest.fixture
async def railway_url(railway: LocalRailway) -> AsyncIterator[str]:
    """The address of the GraphQL endpoint."""
    app = FastAPI()
    app.include_router(build_railway_router(railway))
    async with serve(app) as address:
        yield f"{address}/railway/graphql/v2"


@pytest.fixture
async def client(railway: LocalRailway, railway_url: str) -> AsyncIterator[RailwayClient]:
    """A client with a project token."""
    client = RailwayClient(
        url=railway_url,
        token=Secret(TOKEN),
        token_kind=TokenKind.PROJECT,
        project_id=railway.place.project_id,
        environment_id=railway.place.environment_id,
        timeout_s=30.0,
    )
    yield client
    await client.aclose()
