"""`python -m services.api`: serves the API on `PORT` until SIGTERM."""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # during imports, which make no garbage: collections took a fifth of the time

import logging
import signal
import socket
import sys

import uvicorn

from services.api.app import build_app
from services.api.settings import ApiSettings
from services.process import collect_garbage_again, listen, log_to_streams, read_or_exit
from services.web_protocol import TimeLimitedProtocol

EXIT_NOT_SERVING = 3
GRACE_S = 20  # seconds for requests in progress; Railway's draining time has to be longer


def main() -> None:
    settings = read_or_exit(ApiSettings)
    log_to_streams(settings.log_format)
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)  # so that starts and shutdowns are logged
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # a malformed form is the sender's fault
    logging.getLogger("services.api").info(
        "Dragonfly API starting: environment %s, git SHA %s, port %d",
        settings.environment,
        settings.git_sha,
        settings.port,
    )
    # uvicorn stops on these by itself, then raises them once more: without our handlers an orderly stop would end
    # as "killed by SIGTERM".
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda *_: None)
    config = uvicorn.Config(
        build_app(settings),
        http=TimeLimitedProtocol,
        proxy_headers=False,  # any client may send X-Forwarded-For; services.api.access reads the edge's header
        log_config=None,
        access_log=False,  # services.api.app logs without query strings
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = uvicorn.Server(config)
    server.run(sockets=_listen(settings))
    if not server.started:
        sys.exit(EXIT_NOT_SERVING)


def _listen(settings: ApiSettings) -> list[socket.socket]:
    try:
        return listen(settings.port, settings.listen_address)
    except OSError as error:
        sys.stderr.write(f"CRITICAL: cannot listen on port {settings.port}: {error.strerror}. Free it, or set PORT.\n")
        sys.exit(EXIT_NOT_SERVING)


if __name__ == "__main__":
    collect_garbage_again()
    main()
