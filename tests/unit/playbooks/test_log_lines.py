"""The log formats of the system `civil`, parsed into level and message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from playbooks.log_lines import banner_commits, read_line
from services.domain.deployments import LogLine

NOW = datetime(2026, 11, 29, 8, tzinfo=UTC)

FORMATS = [
    ("2026-11-29 07:48:09 | INFO     | backend.workers | [T] DB smoke test passed", "info", "[T] DB smoke test passed"),
    ("2026-11-29 07:48:09 | WARNING  | w.base | a | b", "warning", "a | b"),
    ("2026-11-29 07:48:09.123 | ERROR    | backend.main:start:42 - it broke", "error", "it broke"),
    ("2026-11-29 07:48:09.123 | INFO     | backend.x:<module>:1 - up", "info", "up"),
    ("[07:48:09.123] INFO    api.access: [a1b2] GET /readyz -> 200 (1ms)", "info", "[a1b2] GET /readyz -> 200 (1ms)"),
    ('INFO:     127.0.0.1:80 - "GET / HTTP/1.1" 200 OK', "info", '127.0.0.1:80 - "GET / HTTP/1.1" 200 OK'),
    ('{"ts": "x", "level": "INFO", "service": "worker", "mode": "dev", "msg": "preflight ok"}', "info", "preflight ok"),
    ('{"ts": "x", "level": "ERROR", "logger": "api", "message": "it broke"}', "error", "it broke"),
]
OTHERS = [
    "  Git SHA:       1a2b3c4d",
    "=" * 60,
    "Traceback (most recent call last):",
    "ERROR 5 of 7",
    "a | b | c",
    "{not json",
    '{"level": 3, "msg": "x"}',
    '{"level": "INFO"}',
    "[]",
    "",
]


@pytest.mark.parametrize(("message", "level", "text"), FORMATS)
def test_a_lines_own_level_counts(message: str, level: str, text: str) -> None:
    read = read_line(LogLine(NOW, "error", message, "r1"))

    assert read == LogLine(NOW, level, text, "r1")


@pytest.mark.parametrize("message", OTHERS)
def test_a_line_without_a_level_stays_as_it_came(message: str) -> None:
    line = LogLine(NOW, "error", message)

    assert read_line(line) == line


def banner(worker_id: str, sha: str, *, after_s: int = 0, replica: str = "r1") -> list[LogLine]:
    at = NOW + timedelta(seconds=after_s)
    lines = (f"  Git SHA:       {sha}", f"  Worker ID:     {worker_id}")
    return [LogLine(at + timedelta(milliseconds=n), "info", line, replica) for n, line in enumerate(lines)]


def test_a_banner_reports_a_workers_commit() -> None:
    assert banner_commits(banner("ingest_processor-1a2b3c4d", "1A2B3C4D")) == {"ingest_processor-1a2b3c4d": "1a2b3c4d"}


def test_each_replicas_banner_is_its_own() -> None:
    first, second = banner("a-1", "aaaaaaaa"), banner("b-2", "bbbbbbbb", replica="r2")
    restarted = banner("a-3", "cccccccc", after_s=60)

    found = banner_commits([second[1], *first, second[0], *restarted])

    assert found == {"a-1": "aaaaaaaa", "b-2": "bbbbbbbb", "a-3": "cccccccc"}


@pytest.mark.parametrize("sha", ["unknown", "", "none"])
def test_a_banner_without_a_commit_reports_none(sha: str) -> None:
    assert banner_commits(banner("a-1", sha)) == {}


def test_half_a_banner_reports_no_commit_and_not_that_of_another_start() -> None:
    assert banner_commits(banner("a-1", "aaaaaaaa")[1:]) == {}
    assert banner_commits([*banner("a-1", "aaaaaaaa"), banner("a-2", "b", after_s=9)[1]]) == {"a-1": "aaaaaaaa"}
