"""Parsing of the lines of `silence`, and the answers about silences."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.commands.silence import LONGEST, REASONS, parse, reasons_answer, silenced_answer, silences_answer
from services.domain.alerts import Silence
from services.domain.errors import UsageError
from services.domain.systems import RUNBOOK
from services.domain.windows import Recurrence, Written

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


def silence(number: int = 5, **more: object) -> Silence:
    known = {"what": "ingest", "owner": "U1", "reason": "we know", "created_at": NOW, "in_advance": False}
    return Silence(id=number, ends_at=NOW + timedelta(hours=1), **{**known, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "what", "lasts", "words"),
    [
        ("ingest 2h the import runs", "ingest", timedelta(hours=2), ["the", "import", "runs"]),
        ("ingest 2 hours we move", "ingest", timedelta(hours=2), ["we", "move"]),
        ("heartbeats.ingest 30mins", "heartbeats.ingest", timedelta(minutes=30), []),
        ("heartbeats.ingest 30m", "heartbeats.ingest", timedelta(minutes=30), []),
        ("failed-jobs 7d known", "failed_jobs", LONGEST, ["known"]),
    ],
)
def test_a_line_reports_what_how_long_and_why(line: str, what: str, lasts: timedelta, words: list[str]) -> None:
    assert parse(line.split(), RUNBOOK.services, NOW, BERLIN) == (what, Written(ends=NOW + lasts), words)


def test_planned_work_begins_later_and_may_come_again() -> None:
    """NOW is a Sunday, 04:00 in Berlin."""
    saturday = datetime(2026, 3, 7, 1, tzinfo=UTC)  # 02:00 in Berlin
    end, weekly = saturday + timedelta(hours=2), Recurrence(frozenset({5}), time(2), timedelta(hours=2), BERLIN)
    table = {
        "ingest sat 02:00 for 2h every week backup": ("ingest", Written(saturday, end, weekly), ["backup"]),
        "ingest from sat 02:00 until sat 04:00 backup": ("ingest", Written(saturday, end), ["backup"]),
        "ingest every sat 02:00 for 2h backup": ("ingest", Written(saturday, end, weekly), ["backup"]),
        "ingest until sat 04:00 backup": ("ingest", Written(ends=end), ["backup"]),
        "ingest from today for 6h backup": ("ingest", Written(ends=datetime(2026, 3, 1, 5, tzinfo=UTC)), ["backup"]),
    }

    assert {line: parse(line.split(), RUNBOOK.services, NOW, BERLIN) for line in table} == table


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "a target"),
        ("ingest", "span is missing"),
        ("ingets 1h", "`ingets`.*neither"),
        ("simplicity 1h", "no simplicity"),
        ("heartbeats.simplicity 1h", "no simplicity"),
        ("ingest soon", "`soon`.*time span"),
        ("ingest 8d", "`8d`.*range"),
        ("ingest sat 02:00 backup", "`sat 02:00 backup`.*time span"),
        ("ingest from sat until 2026-03-15 backup", "2026-03-15.*range"),
        ("ingest from 2027-06-01 for 2h backup", "2027-06-01.*range"),
        ("ingest from frdiay for 2h", "`frdiay`.*`from`"),
        ("ingest every frdiay for 2h", "`frdiay`.*`every`"),
    ],
)
def test_silence_error_names_the_wrong_word(line: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(line.split(), RUNBOOK.services, NOW, BERLIN)

    assert re.search(why, refused.value.why)


def test_without_a_reason_one_tap_gives_it() -> None:
    answer = reasons_answer("heartbeats.ingest", "1h")

    values = [one["value"] for block in answer.blocks for one in block.get("elements", ()) if "value" in one]
    assert values == [f"silence heartbeats.ingest 1h {reason}" for reason in REASONS]
    assert answer.private


def test_everyone_reads_who_silenced_what_until_when_and_why() -> None:
    answer = silenced_answer(silence(reason="<!channel>"))

    assert answer.text.startswith("🔕 <@U1> silenced `ingest` until <!date^")
    assert "<!channel>" not in f"{answer.text} {answer.blocks}"
    assert not answer.private


def test_the_list_fits_into_a_message_and_each_can_be_ended() -> None:
    answer = silences_answer([silence(number, reason="x" * 500) for number in range(1, 60)])

    ends = [block["accessory"]["value"] for block in answer.blocks if "accessory" in block]
    assert ends == [f"silence end {number}" for number in range(1, 6)]
    assert len(answer.blocks) < 50


def test_nothing_silenced_is_reported() -> None:
    assert "Nothing is silenced" in silences_answer([]).text
