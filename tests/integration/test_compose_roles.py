"""The roles that compose.yaml makes in an empty Postgres are those that the migrations and the processes need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml

from services.clients.postgres.installation import install
from services.domain.secrets import Secret
from services.sandbox.postgres.server import PostgresServer

COMPOSE: dict[str, Any] = yaml.safe_load((Path(__file__).resolve().parents[2] / "compose.yaml").read_text())
PASSWORDS = {"OWNER_PASSWORD": "one1", "APP_PASSWORD": "two2", "BOT_PASSWORD": "three3"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A separate server: roles belong to the whole server."""
    server = PostgresServer(tmp_path / "postgres", fast=True)
    server.start()
    yield server
    server.stop()
    server.erase()


def _filled_in(text: str) -> str:
    return re.sub(r"\$\{(\w+):\?\}", lambda name: PASSWORDS[name[1]], text)


def _dsn(server: PostgresServer, service: str) -> str:
    given = _filled_in(COMPOSE["services"][service]["environment"]["SUPABASE_DB_URL"])
    return given.replace("@postgres:5432/", f"@127.0.0.1:{urlsplit(server.superuser_dsn()).port}/")


async def test_compose_s_roles_suit_the_migrations_and_the_processes(server: PostgresServer) -> None:
    script = _filled_in(COMPOSE["configs"]["roles"]["content"])
    with psycopg.connect(server.superuser_dsn(), autocommit=True) as conn:
        for statement in script.split(";\n"):
            conn.execute(statement.encode())

    outcome = await install(Secret(_dsn(server, "migrate")), environment="dev")

    assert outcome.notice
    for service, query in {
        "bot": b"SELECT count(*) FROM chatops.runs",
        "api": b"SELECT count(*) FROM ops.job_queue",
        "worker-ingest": b"SELECT count(*) FROM ops.job_queue",
        "worker-enforcement": b"SELECT count(*) FROM ops.job_queue",
    }.items():
        with psycopg.connect(_dsn(server, service)) as conn:
            assert conn.execute(query).fetchone() == (0,)
