"""The API as a process, for tests that are not coroutines."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from services.sandbox.web_server import find_free_port

PATIENCE_S = 60.0
MANY = "1000000"  # requests per minute


@dataclass
class ServedApi:
    """An API process that serves at `base`."""

    base: str
    process: subprocess.Popen[bytes]

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.base}{path}", headers=headers, trust_env=False, timeout=PATIENCE_S)


@contextmanager
def serve_api(dsn: str, **environment: str) -> Iterator[ServedApi]:
    """Start the API; it serves inside the context, and is stopped at its end. No rate limits unless `environment` sets
    them."""
    port = find_free_port()
    usual = {
        "PATH": os.environ["PATH"],
        "ENVIRONMENT": "dev",
        "SUPABASE_DB_URL": dsn,
        "PORT": str(port),
        "LISTEN_ADDRESS": "127.0.0.1",
        "REQUESTS_PER_MINUTE_PER_ADDRESS": MANY,
        "REQUESTS_PER_MINUTE_PER_KEY": MANY,
    }
    command = [sys.executable, "-m", "services.api"]
    process = subprocess.Popen(command, env=usual | environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    served = ServedApi(f"http://127.0.0.1:{port}", process)
    try:
        _wait_until_it_serves(served)
        yield served
    finally:
        process.kill()
        process.wait()


def _wait_until_it_serves(served: ServedApi) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            if served.get("/api/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise TimeoutError("the API does not serve")
