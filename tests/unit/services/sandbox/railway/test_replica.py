"""The log lines of the local Railway: made from a process's output, found by a filter."""

from __future__ import annotations

import asyncio

import pytest

from services.sandbox.railway.replica import LONGEST_LINE, LogBuffer, read_lines


def buffer() -> LogBuffer:
    logs = LogBuffer()
    logs.write_output("Worker started", severity="info", replica_id="r1")
    logs.write_output("job 7 failed: no such county", severity="error", replica_id="r2")
    logs.write_output('{"level": "WARN", "message": "queue is long", "n": 3}', severity="info", replica_id="r1")
    return logs


@pytest.mark.parametrize(
    ("log_filter", "found"),
    [
        ("", 3),
        ("WORKER", 1),
        ('"no such county"', 1),
        ("@level:error", 1),
        ("@level:warn queue", 1),
        ("replica:r1", 2),
        ("-started", 2),
        ("replica:r1 failed", 0),
        ('"unfinished', 0),
    ],
)
def test_filter_finds(log_filter: str, found: int) -> None:
    assert len(buffer().find(log_filter)) == found


def test_json_line_brings_its_own_message_and_level() -> None:
    last = buffer().entries[-1]

    assert (last.message, last.severity) == ("queue is long", "warn")


@pytest.mark.parametrize("line", ["{not json", "{}", '{"message": 3}'])
def test_other_lines_stay_as_they_are(line: str) -> None:
    logs = LogBuffer()

    logs.write_output(line, severity="info", replica_id="r1")

    assert logs.entries[0].message == line


async def test_lines_are_split_cut_and_decoded() -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(b"one\r\n\xff\xfe\n" + b"x" * (3 * LONGEST_LINE) + b"\nlast")
    stream.feed_eof()

    lines = [line async for line in read_lines(stream)]

    assert lines[:2] == ["one", "\ufffd\ufffd"]
    assert len(lines[2]) <= LONGEST_LINE
    assert lines[-1] == "last"
