"""A local Railway with two small services: real processes and short intervals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from services.sandbox.railway.local import LocalRailway
from services.sandbox.railway.model import Pace, ServiceSpec

TOKEN = "made-up-token"
REPOSITORY = Path(__file__).parents[5]

# Answers each request, also /api/live, with its own commit and replica.
API = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (os.environ["RAILWAY_GIT_COMMIT_SHA"] + " " + os.environ["RAILWAY_REPLICA_ID"]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_HEAD(self):
        self.send_response(200)
        self.send_header("X-Seen", " ".join(f"{name}={value}" for name, value in self.headers.items()))
        self.end_headers()
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[::-1])
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""

WORKER = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("goodbye"), sys.exit(0)))
print("working as", os.environ["RAILWAY_SERVICE_NAME"], os.environ.get("HTTP_PROXY", "without proxy"))
print('{"level": "warn", "message": "half full", "rows": 3}')
sys.stderr.write("to stderr\\n")
while True:
    time.sleep(60)
"""

PACE = Pace(
    appear_after_s=0.05,
    initialize_s=0.05,
    build_s=0.1,
    healthcheck_timeout_s=8.0,
    healthcheck_every_s=0.05,
    draining_s=3,
    shutdown_s=3.0,
    restart_delay_s=0.05,
    max_restarts=2,
)

Build = Callable[..., LocalRailway]


@pytest.fixture
def build_railway(tmp_path: Path) -> Build:
    """Builds a local Railway that is not started; a second one reads the first one's state file."""

    def build(
        api: str = API, worker: str = WORKER, variables: Mapping[str, str] = MappingProxyType({})
    ) -> LocalRailway:
        services = [
            ServiceSpec("dragonfly-api", ("python", "-c", api), variables, 1, "/api/live", True),
            ServiceSpec("dragonfly-worker-ingest", ("python", "-c", worker), variables),
        ]
        return LocalRailway(services, directory=tmp_path, working_directory=REPOSITORY, token=TOKEN, pace=PACE)

    return build


@pytest.fixture
async def railway(build_railway: Build) -> AsyncIterator[LocalRailway]:
    """A started local Railway, in which both services serve."""
    local = build_railway()
    await local.start()
    try:
        await local.wait_until_serving(60)
        yield local
    finally:
        await local.stop()
