"""A transaction pooler like Supabase's on port 6543, in front of the tests' Postgres."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.sandbox.postgres.server import PostgresServer
from services.sandbox.web_server import find_free_port

Pooled = Callable[[str], str]  # a DSN of the tests' server -> the DSN through the pooler


@pytest.fixture(scope="session")
def pooled(postgres_server: PostgresServer) -> Iterator[Pooled]:
    """PgBouncer in transaction mode. In CI a missing PgBouncer is a failure, elsewhere the test is skipped."""
    program = shutil.which("pgbouncer")
    if program is None and not os.environ.get("CI"):
        pytest.skip("there is no pgbouncer on this machine")
    folder = Path(tempfile.mkdtemp(prefix="dragonfly-pgbouncer-"))
    port, users = find_free_port(), folder / "users.txt"
    users.write_text("".join(f'"{role}" "{password}"\n' for role, password in _passwords(postgres_server).items()))
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"""[databases]
* = host=127.0.0.1 port={postgres_server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
default_pool_size = 20
ignore_startup_parameters = extra_float_digits
"""
    )
    log = (folder / "log").open("w")
    process = subprocess.Popen([str(program), *_identity(folder), str(config)], stderr=log)
    try:
        if not _answers(port, process):
            pytest.fail(f"pgbouncer did not start: {(folder / 'log').read_text()}")
        yield lambda dsn: dsn.replace(f":{urlsplit(dsn).port}/", f":{port}/")
    finally:
        log.close()
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def _passwords(server: PostgresServer) -> dict[str, str]:
    return {role: server.password(role) for role in ("postgres", "dragonfly_app", "dragonfly_bot")}


def _identity(folder: Path) -> list[str]:
    """PgBouncer refuses to run as root, so it runs as the user nobody, who has to own its files."""
    if os.geteuid() != 0:
        return []
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, "nobody")
    return ["-u", "nobody"]


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.05)
    return False
