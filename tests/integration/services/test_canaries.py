"""Names, amounts and keys planted in every source: in no log line, no job's error or result, and no prompt. One word
per source, so that a leak names its origin."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from services.clients.postgres.pool import Connection
from services.sandbox.web_server import find_free_port
from tests.conftest import DatabaseUrls
from tests.integration.services.conftest import Eventually, RunningProcess, Spawn
from tests.openai_server import GOOD_MEMO, OpenAIServer, Posted, response

API_KEY = "df_dev_CANARYAPIKEY"
OPENAI_KEY = "sk-CANARYOPENAIKEY"
HEADER = "Case Number,Plaintiff,Defendant,Judgment Amount,Filing Date,County"
GOOD_FILE = f"""{HEADER},CANARYEXTRAHEADER
CANARYCASE-1,CANARYPLAINTIFF LLC,CANARYDEFENDANT Jr,"$73,119,742.55",3/17/2021,CANARYCOUNTY,CANARYEXTRACELL
CANARYCASE-2,CANARYPLAINTIFF LLC,CANARYDEFENDANT Jr,CANARYAMOUNT,CANARYDATE,Kings
CANARYCASE-3,,,,,,,CANARYSURPLUS
"""
PAYMENTS_FILE = """Case Number,County,Payment Amount,Payment Date,Reference
CANARYCASE-1,CANARYCOUNTY,"$86,204.31",3/18/2021,CANARYREFERENCE-1
CANARYCASE-9,CANARYCOUNTY,1,CANARYDATE,CANARYREFERENCE-2
CANARYCASE-9,CANARYCOUNTY,1,3/18/2021,CANARYREFERENCE-3
"""
# A row that passes the rules but that the database refuses: by a constraint, and by functions that quote it.
REFUSED_BY = ("Constraint", "Function", "Violation")
REFUSE = """
ALTER TABLE public.judgments ADD CONSTRAINT refused_by_constraint CHECK (county <> 'Constraint');
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.county = 'Function' THEN
        RAISE EXCEPTION 'refused: %', NEW USING DETAIL = NEW.plaintiff, HINT = NEW.defendant;
    ELSIF NEW.county = 'Violation' THEN
        RAISE EXCEPTION 'refused: %', NEW USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON public.judgments FOR EACH ROW EXECUTE FUNCTION public.refuse();
CREATE FUNCTION public.refuse_file() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.file_name = 'CANARYREFUSED.csv' THEN
        RAISE EXCEPTION 'refused: %', NEW.file_name;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON intake.simplicity_batches FOR EACH ROW EXECUTE FUNCTION public.refuse_file();
"""
PLANTED = (
    *("CANARYAPIKEY", "CANARYOPENAIKEY", "CANARYWRONGKEY", "CANARYQUERY", "CANARYPATH", "CANARYFILENAME"),
    *("CANARYEXTRAHEADER", "CANARYCASE", "CANARYPLAINTIFF", "CANARYDEFENDANT", "73119742", "73,119,742", "3/17/2021"),
    *("2021-03-17", "CANARYCOUNTY", "CANARYEXTRACELL", "CANARYAMOUNT", "CANARYDATE", "CANARYSURPLUS"),
    *("CANARYWRONGHEADER", "CANARYREFUSED", "CANARYFIELD", "CANARYPAYLOAD", "CANARYPASSWORD", "CANARYUSER"),
    *(
        "CANARYSETTING",
        "CANARYMODEL",
        "CANARYSERVICE",
        "CANARYREFERENCE",
        "CANARYDNS",
        "86204",
        "86,204",
        "3/18/2021",
        "2021-03-18",
    ),
)


@dataclass
class Reported:
    """Every text that left a process, as `(source, text)`."""

    texts: list[tuple[str, str]] = field(default_factory=list)

    def add(self, who: str, text: object) -> None:
        self.texts.append((who, text if isinstance(text, str) else json.dumps(text, default=str)))

    def leaks(self) -> list[tuple[str, str, str]]:
        """Return `(word, source, text)` for each planted word in a text."""
        return [(word, who, text[:300]) for who, text in self.texts for word in PLANTED if word in text]


@pytest.fixture
async def base_url(spawn: Spawn, database_urls: DatabaseUrls, eventually: Eventually) -> tuple[str, RunningProcess]:
    port = find_free_port()
    process = await spawn(
        "services.api",
        SUPABASE_DB_URL=database_urls.app,
        PORT=str(port),
        LISTEN_ADDRESS="127.0.0.1",
        DRAGONFLY_API_KEY=API_KEY,
    )
    url = f"http://127.0.0.1:{port}"

    async def answers() -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                return (await client.get(f"{url}/api/health")).is_success
            except httpx.TransportError:
                return False

    await eventually(answers)
    return url, process


async def rows(conn: Connection, query: str) -> list[tuple[Any, ...]]:
    return await (await conn.execute(query.encode())).fetchall()


async def test_nothing_planted_is_reported_by_the_operated_processes(
    spawn: Spawn,
    database_urls: DatabaseUrls,
    as_owner: Connection,
    base_url: tuple[str, RunningProcess],
    eventually: Eventually,
) -> None:
    url, api = base_url
    reported = Reported()
    await as_owner.execute(REFUSE)
    async with OpenAIServer().serve() as openai:
        openai.speak = _hostile
        common = {"SUPABASE_DB_URL": database_urls.app}
        ingest = await spawn("services.ingest_worker", **common)
        enforcement = await spawn(
            "services.enforcement_worker",
            OPENAI_API_KEY=OPENAI_KEY,
            OPENAI_BASE_URL=openai.base_url,
            LOG_FORMAT="json",
            **common,
        )
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60.0) as client:
            await _plant_in_requests(client)
            await _upload(client, GOOD_FILE)
            await _upload(client, PAYMENTS_FILE, source_system="payments")
            for refused_by in REFUSED_BY:
                await _upload(client, f"{HEADER}\nCANARYREFUSED,CANARYREFUSED,CANARYREFUSED,1,1/2/2024,{refused_by}\n")
        await _plant_in_jobs(as_owner)

        ended = "SELECT 1 FROM ops.job_queue GROUP BY () HAVING bool_and(status IN ('completed', 'failed'))"
        await as_owner.execute("UPDATE ops.job_queue SET max_attempts = 1, run_at = now()")
        await eventually(lambda: rows(as_owner, ended))
        await enforcement.line_with("Memos:")
        misled = [await spawn("services.ingest_worker", **wrong) for wrong in _MISLED]
        await misled[0].line_with("PostgreSQL connection failed")
        await misled[1].line_with("PostgreSQL connection failed")
        await misled[2].exit_code()

        for request, headers in zip(openai.requests, openai.headers, strict=True):
            reported.add("prompt", request)
            reported.add("headers", {name: value for name, value in headers.items() if name != "Authorization"})
    running = (("api", api), ("ingest", ingest), ("enforcement", enforcement))
    for who, process in (*running, *(("misled", one) for one in misled)):
        for line in process.lines:
            reported.add(who, line)
    assert all(json.loads(line) for line in enforcement.lines)
    for error, result in await rows(as_owner, "SELECT error_message, result FROM ops.job_queue"):
        reported.add("job error", error or "")
        reported.add("job result", result)
    for (error,) in await rows(as_owner, "SELECT error FROM intake.simplicity_raw_rows WHERE error IS NOT NULL"):
        reported.add("row error", error)

    assert reported.leaks() == []
    _assert_all_sources_were_used(reported, openai)


_MISLED: tuple[dict[str, str], ...] = (
    {"SUPABASE_DB_URL": "postgresql://CANARYUSER:CANARYPASSWORD@127.0.0.1:1/d"},
    {"SUPABASE_DB_URL": "postgresql://CANARYUSER:CANARY@CANARYDNS@db.CANARYDNS.invalid:5432/d"},
    {"SUPABASE_DB_URL": "CANARYSETTING", "HEARTBEAT_EVERY_S": "CANARYSETTING", "ENVIRONMENT": "CANARYSETTING"},
)


def _hostile(_: dict[str, Any]) -> Posted:
    return Posted(response(json.dumps({**GOOD_MEMO, "summary": "CANARYMODEL owes 5", "CANARYSERVICE": 1})))


async def _plant_in_requests(client: httpx.AsyncClient) -> None:
    key = {"X-DRAGONFLY-API-KEY": API_KEY}
    await client.get("/api/v1/intake/batches", headers={"X-DRAGONFLY-API-KEY": "CANARYWRONGKEY"})
    await client.get("/api/v1/intake/batches?limit=CANARYQUERY", headers=key)
    await client.get("/api/v1/intake/batches/CANARYPATH", headers=key)
    await client.get("/CANARYPATH?q=CANARYQUERY")
    await client.post("/api/v1/intake/upload", headers=key, content=b"CANARYFIELD")
    files = {"file": ("CANARYFILENAME.csv", "CANARYWRONGHEADER,b\nCANARYFIELD,2\n")}
    await client.post("/api/v1/intake/upload", headers=key, files=files, data={"source_system": "CANARYFIELD"})
    await client.post("/api/v1/intake/upload", headers=key, files=files)
    files = {"file": ("CANARYREFUSED.csv", f"{HEADER}\nCANARYREFUSED,b,c,1,1/2/2024,Kings\n")}
    assert (await client.post("/api/v1/intake/upload", headers=key, files=files)).status_code >= 500


async def _upload(client: httpx.AsyncClient, content: str, **fields: str) -> None:
    files, key = {"file": ("CANARYFILENAME.csv", content)}, {"X-DRAGONFLY-API-KEY": API_KEY}
    answer = await client.post("/api/v1/intake/upload", headers=key, files=files, data=fields)
    assert answer.status_code == 202, answer.text


async def _plant_in_jobs(conn: Connection) -> None:
    queue = "INSERT INTO ops.job_queue (job_type, payload) VALUES (%s, %s::jsonb)"
    for job_type in ("simplicity_ingest", "enforcement_next_step"):
        for payload in ({"batch_id": "CANARYPAYLOAD"}, {"CANARYPAYLOAD": 1}, ["CANARYPAYLOAD"]):
            await conn.execute(queue, (job_type, json.dumps(payload)))


def _assert_all_sources_were_used(reported: Reported, openai: OpenAIServer) -> None:
    """Otherwise the test would be green because nothing happened."""
    lines = "\n".join(text for _, text in reported.texts)
    wanted = (
        *(
            "401",
            "404",
            "422",
            "/api/v1/intake/upload 50",
            "refused_by_constraint",
            "RaiseException",
            "the payload names no batch_id",
        ),
        *("Memos: 0 written, 1 refused", "Connection refused", "SUPABASE_DB_URL: must look like", "Filing Date: "),
        *("Payment Date: ", "no such case"),
    )
    assert [part for part in wanted if part not in lines] == []
    assert len(openai.requests) == 1
