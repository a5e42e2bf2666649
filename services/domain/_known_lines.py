"""Log lines that our own programs print, in the runbook's words: they may be shown as they are.

What varies in them is spelled out so narrowly that no name, amount or secret fits: numbers, UUIDs, SHAs, our own words.
"""

from __future__ import annotations

import re

_NUMBER = r"\d{1,9}"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_DOLLARS = r"\d{1,5}(?:\.\d{1,6})?"
_WORKER_TYPE = r"(?:ingest_processor|enforcement_engine)"
_JOB_STATE = r"(?:pending|processing|completed|failed)"
_API_PATH = r"(?:/api/health|/api/live|/api/v1/(?:intake/(?:health|upload|batches)|metrics)|/)"
_API_ROUTE = rf"(?:{_API_PATH}|/api/v1/intake/batches/\{{batch_id\}}|\(unknown path\))"
_NO_MEMOS = (
    r"(?:(?:OPENAI_API_KEY is not set|OPENAI_INPUT_USD_PER_MTOK and OPENAI_OUTPUT_USD_PER_MTOK are not set for this "
    r"OPENAI_MODEL), so results are deterministic only|OPENAI_BUDGET_USD is used up|OpenAI: (?:it refused the key|"
    r"the key may not use this model|it knows no such model or address|its rate limit or quota is used up|"
    r"it cannot be reached|its answer cannot be understood|it answered [45]\d\d|no answer within \d{1,5}(?:\.\d)? s))"
)

_LINES = (
    rf"\[{_WORKER_TYPE}\] (?:Claimed job|Job completed|Job handed back|Processing batch): {_UUID}",
    rf"\[enforcement_engine\] Reviewed: {_NUMBER} judgments",
    rf"\[enforcement_engine\] Memos: {_NUMBER} written, {_NUMBER} refused, {_NUMBER} left, {_DOLLARS} USD",
    rf"(?:\[enforcement_engine\] Memos missing: )?{_NO_MEMOS}",
    rf"\[{_WORKER_TYPE}\] No pending jobs found \(idle\)",
    rf"\[{_WORKER_TYPE}\] CRITICAL: Crash loop detected after {_NUMBER} failures",
    rf"claim_pending_job: claimed job {_UUID}",
    rf"update_job_status: job {_UUID} -> {_JOB_STATE}",
    r"PostgreSQL connection established",
    r"PostgreSQL connection failed: (?:FATAL: password authentication failed for user|Connection refused)",
    rf"Pool size: {_NUMBER}, max overflow: {_NUMBER}",
    r"FATAL: password authentication failed for user",
    r"Entering main loop\.\.\.",
    r"Worker stopped",
    rf"Stop requested: finishing the current job, at most {_NUMBER} s",
    rf"(?:GET|POST|HEAD) {_API_ROUTE} [1-5]\d\d {_NUMBER} ms",
    r"[┌├└]─+[┐┤┘]",
    r"│ +DRAGONFLY WORKER STARTING +│",
    r"│  Worker ID: +(?:ingest|enforcement)-[0-9a-f-]{1,36} +│",
    rf"│  Worker Type: +{_WORKER_TYPE} +│",
    r"│  Environment: +(?:dev|staging|prod) +│",
    r"│  Git SHA: +(?:[0-9a-f]{7,40}|unknown) +│",
    r"│  Python: +3\.\d{1,2}\.\d{1,2} +│",
    r"INFO: +(?:Started|Finished) server process \[\d{1,9}\]",
    r"INFO: +(?:Waiting for application (?:startup|shutdown)|Application (?:startup|shutdown) complete)\.",
    r"INFO: +Shutting down",
)
_KNOWN = re.compile("|".join(f"(?:{line})" for line in _LINES))


def is_known_line(line: str) -> bool:
    """Whether the whole line is one that our own programs print."""
    return _KNOWN.fullmatch(line.strip()) is not None
