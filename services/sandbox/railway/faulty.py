"""The program that faulty commits of the demo run instead of the product.

Run as `python -m services.sandbox.railway.faulty crash`, or with `answer-503`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NoReturn

FAULTY_MODULE = "services.sandbox.railway.faulty"


class Unavailable(BaseHTTPRequestHandler):
    """Passes Railway's health check, and answers 503 to everything else."""

    def do_GET(self) -> None:
        """Answer 200 on /api/live and 503 elsewhere."""
        self._answer(200 if self.path.split("?")[0] == "/api/live" else 503)

    def do_POST(self) -> None:
        """Answer 503."""
        self._answer(503)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Write one line per request, like the product's own server."""
        sys.stdout.write(f"{self.address_string()} {format % args}\n")

    def _answer(self, status: int) -> None:
        body = b'{"status":"live"}' if status == 200 else b'{"status":"error","detail":"licence server not reachable"}'
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def crash() -> NoReturn:
    """End like a process whose module fails at import: with a traceback on stderr and exit code 1."""
    raise FileNotFoundError(2, "No such file or directory", "config/fee_schedule.toml")


def answer_503(port: int) -> None:
    """Serve until SIGTERM."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Unavailable)
    # In another thread, because shutdown() waits for serve_forever(), which this thread runs.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.1)
    server.server_close()


if __name__ == "__main__":
    if sys.argv[1] == "crash":
        crash()
    answer_503(int(os.environ["PORT"]))
