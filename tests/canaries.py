"""Names, amounts and keys to plant in every source that the bot reads, and checks for leaked ones."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.clients.postgres.pool import Connection
from services.domain.services import Service
from services.domain.systems import RUNBOOK
from services.process import JsonFormatter, PlainFormatter

SHA = "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678"


def person(source: str) -> str:
    """Personal data to plant in this source: a name, an amount, a key, an address."""
    return f'"CANARY{source} Quillfeather" owes $48,613.77 sk-live-canary4f9a8b7c6d5e zeb@quillfeather.example'


# Text that a person may type, in their own words: only values with the shape of data can be recognized in it.
TYPED = (
    "for zeb@quillfeather.example, (555) 010-9876, 078-05-1120: defendant Zeb Quillfeather owes $48,613.77"
    " in Canary v. Quillfeather, CV-48613-24/KI, key sk-live-canary4f9a8b7c6d5e"
)
WORDS = ("canary", "quillfeather", "48,613.77", "48613.77", "48613-24", "zeb@", "010-9876", "078-05-1120")
LINES = (
    f"ValueError: no county {person('LOGVALUE')}",
    f"DETAIL:  Key (county, case_number)=(Kings, {person('LOGDETAIL')}) already exists.",
    f'{{"message": {json.dumps(person("LOGJSON"))}, "level": "error"}}',
    f"permission denied for table {person('LOGTABLE')}",
    f"[ingest_processor] Job failed: {person('LOGJOB')}",
    f"FATAL: password authentication failed for user {person('LOGUSER')}",
    f"CRITICAL: Crash loop detected after 10 failures {person('LOGCRASH')}",
    "CANARYBARE CANARYBARE Quillfeather",
    "stored CANARYFILE Quillfeather v Bank.csv with 3 rows",
    "FileNotFoundError: /tmp/uploads/CANARYFILE_Quillfeather_v_Bank.csv",
    "KeyError: 'CANARYHEADER Quillfeather'",
    "the header has no column CANARYHEADER Quillfeather",
    'could not translate host name "CANARYDNS@db.quillfeather.example" to address: Name or service not known',
    "[Errno -2] Name or service not known: postgresql://CANARYDNS:CANARYDNS@db.quillfeather.example:5432/postgres",
)
FILE_NAME = "CANARYFILE Quillfeather v Bank.csv"
COLUMN = "CANARYHEADER Quillfeather"
PLANT = """
    INSERT INTO ops.job_queue (job_type, status, attempts, error_message, payload, result)
    SELECT 'simplicity_ingest', 'failed', 5, unnest(%(errors)s::text[]), %(json)s, %(json)s;
    INSERT INTO ops.job_queue (job_type, status, payload, idempotency_key, run_at)
    VALUES ('simplicity_ingest', 'pending', %(json)s, %(text)s, now() - interval '20 minutes');
    INSERT INTO ops.job_queue (job_type, status, payload, locked_at, locked_by)
    VALUES ('simplicity_ingest', 'processing', %(json)s, now() - interval '20 minutes', 'ingest-gone');
    INSERT INTO ops.intake_logs (event_type, details) VALUES ('batch_received', %(json)s);
    INSERT INTO intake.simplicity_batches (id, file_name, sha256, status, error, is_golden_path)
    VALUES ('00000000-0000-4000-8000-000000000001', %(text)s, repeat('a', 64), 'failed', %(text)s, true);
    INSERT INTO intake.simplicity_raw_rows (batch_id, row_number, raw, status, error)
    VALUES ('00000000-0000-4000-8000-000000000001', 1, %(json)s, 'failed', %(text)s);
    INSERT INTO intake.simplicity_batches (id, file_name, sha256, status, error, header)
    VALUES ('00000000-0000-4000-8000-000000000002', %(file)s, repeat('b', 64), 'failed',
            %(file)s || ' has no column ' || %(column)s, %(column)s);
    INSERT INTO intake.simplicity_raw_rows (batch_id, row_number, raw, status, error)
    VALUES ('00000000-0000-4000-8000-000000000002', 1, %(json)s, 'failed', %(column)s || ': is missing');
    INSERT INTO ops.intake_logs (event_type, details)
    VALUES ('batch_failed', jsonb_build_object('file_name', %(file)s::text, 'error', %(column)s || ': is missing'));
    INSERT INTO public.judgments (case_number, county, plaintiff, defendant, judgment_amount, filing_date, batch_id)
    VALUES (%(text)s, %(text)s, %(text)s, %(text)s, 48613.77, '2024-01-02', '00000000-0000-4000-8000-000000000001');
    INSERT INTO enforcement.next_steps (judgment_id, kind, reasons)
    SELECT id, %(text)s, ARRAY[%(text)s] FROM public.judgments;
    INSERT INTO enforcement.payments (judgment_id, reference, received_on, amount)
    SELECT id, %(text)s, '2024-01-02', 48613.77 FROM public.judgments;
    INSERT INTO enforcement.memos (id, facts, status, refused_because)
    VALUES (gen_random_uuid(), %(json)s, 'refused', %(text)s);
    INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status, git_sha)
    VALUES ('ingest-1', 'ingest_processor', 'running', 'a1b2c3d4');
    UPDATE supabase_migrations.schema_migrations SET executed_at = now() - interval '1 day';
"""
PLANTED_ROWS = """
    SELECT (SELECT count(*) FROM ops.job_queue WHERE concat(error_message, payload, result) ~ 'CANARY'),
           (SELECT count(*) FROM ops.intake_logs WHERE details::text ~ 'CANARY'),
           (SELECT count(*) FROM intake.simplicity_batches WHERE file_name ~ 'CANARY')
"""


VARIABLES = ("SUPABASE_DB_URL", "SUPABASE_SERVICE_ROLE_KEY", "DRAGONFLY_API_KEY", "OPENAI_API_KEY", "ENVIRONMENT")


def values_to_plant() -> dict[str, Any]:
    """The parameters of `PLANT`."""
    text = person("COLUMN")
    return {
        "errors": list(LINES),
        "json": json.dumps({"name": text}),
        "text": text,
        "file": FILE_NAME,
        "column": COLUMN,
    }


def leaks(text: str) -> list[str]:
    """The planted words in the text."""
    return [word for word in WORDS if word in text.lower()]


TABLES = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'chatops'"


async def everything_stored(conn: Connection) -> list[str]:
    """Every row of the bot's own tables, as text."""
    tables = [name for (name,) in await (await conn.execute(TABLES)).fetchall()]
    rows = [await (await conn.execute(f"SELECT t::text FROM {table} t".encode())).fetchall() for table in tables]  # noqa: S608 - our names
    return [text for found in rows for (text,) in found]


def found_in(where: str, texts: Iterable[str]) -> list[tuple[str, list[str], str]]:
    """`(where, canaries, text)` for each text that contains canaries."""
    return [(where, words, text[:600]) for text in texts if (words := leaks(text))]


class Lines(logging.Handler):
    """Collects the log lines that the bot would print, plain and as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen += [PlainFormatter().format(record), JsonFormatter().format(record)]


@pytest.fixture
def log() -> Iterator[Lines]:
    """Collect all log lines that one of our processes prints, and the bot's debug lines."""
    lines, root, ours = Lines(), logging.getLogger(), logging.getLogger("bot")
    root.addHandler(lines)
    ours.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(lines)
    ours.setLevel(logging.NOTSET)


class HostileOutside:
    """Railway and the API with canaries in every free text. `is_failing`: their errors contain canaries too."""

    def __init__(self) -> None:
        self.is_failing = False

    async def answer_api(self, _: httpx.Request) -> httpx.Response:
        if self.is_failing:
            return httpx.Response(500, text=f"<html>{person('APIPAGE')}</html>")
        now = _ago(minutes=1)
        body = {"status": "ok", "environment": "prod", "git_sha": SHA[:8], "db_connected": True, "timestamp": now}
        more = {"pending_jobs": 1, "last_batch_at": now, "detail": person("APIDETAIL")}
        return httpx.Response(200, json={**body, **more}, headers={"X-Canary": "CANARYAPIHEADER"})

    async def answer_railway(self, request: httpx.Request) -> httpx.Response:
        if self.is_failing:
            return httpx.Response(200, json={"errors": [{"message": person("RAILWAYERROR"), "path": ["environment"]}]})
        return httpx.Response(200, json={"data": self._data(json.loads(request.content)["query"])})

    def _data(self, document: str) -> dict[str, Any]:
        if "query readLogs" in document or "query readBuildLogs" in document:
            lines = [{"timestamp": _ago(seconds=len(LINES) - n), "severity": "error", "message": line,
                      "tags": {"deploymentInstanceId": "i0"}} for n, line in enumerate(LINES)]  # fmt: skip
            return {"deploymentLogs": lines, "buildLogs": lines}
        if "query listDeployments" in document:
            return {
                "deployments": {"edges": [{"node": _deployment(status)} for status in ("SUCCESS", "FAILED", "REMOVED")]}
            }
        if "query readVariables" in document:
            return {"variablesForServiceDeployment": {name: person("VARIABLE") for name in VARIABLES}}
        if "query listVariableChanges" in document:
            variables = {"DRAGONFLY_API_KEY": {"value": person("PATCH")}}
            patch = {"services": {"s-api": {"variables": variables}}}
            return {"environmentPatches": {"edges": [{"node": {"appliedAt": _ago(minutes=60), "patch": patch}}]}}
        if "query readAutoDeploy" in document:
            return {"serviceInstanceAutoDeployStatus": {"enabled": True}}
        nodes = [{"node": _instance(service)} for service in RUNBOOK.services]
        config = {"services": {"s-api": {"variables": {"DRAGONFLY_API_KEY": {"value": person("CONFIG")}}}}}
        return {"environment": {"name": "production", "config": config, "serviceInstances": {"edges": nodes}}}


def _deployment(status: str = "SUCCESS") -> dict[str, Any]:
    return {
        "id": f"d-{status.lower()}",
        "status": status,
        "createdAt": _ago(minutes={"FAILED": 80, "SUCCESS": 90}.get(status, 900)),
        "canRollback": True,
        "meta": {
            "commitHash": SHA if status == "SUCCESS" else SHA[::-1],
            "commitMessage": f"Fix it {TYPED}",
            "commitAuthor": "Ann <zeb@quillfeather.example>",
            "env": person("META"),
        },
        "instances": [{"id": "i0", "status": "RUNNING"}],
    }


def _instance(service: Service) -> dict[str, Any]:
    return {
        "serviceId": f"s-{service.short}",
        "serviceName": service.value,
        "numReplicas": 1,
        "activeDeployments": [_deployment()],
        "latestDeployment": _deployment(),
    }


def _ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()
