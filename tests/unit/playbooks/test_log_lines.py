"""The formats in which processes of the system `civil` write, read into level and message."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from playbooks.log_lines import read_line
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
