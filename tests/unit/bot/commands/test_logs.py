"""The answer of `logs`: the newest line first, equal lines folded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.commands.logs import TIMES, LogView, logs_answer
from bot.commands.reveal import LABEL
from bot.types import Answer
from playbooks.log_patterns import CIVIL, RUNBOOK
from playbooks.logs import Choice
from services.domain.deployments import Deployment, DeploymentStatus, LogLine
from services.domain.privacy import Privacy
from services.domain.services import Service

NOW = datetime(2025, 12, 20, 6, 46, 12, tzinfo=UTC)
CHOICE = Choice(Deployment("d1", DeploymentStatus.SUCCESS, NOW - timedelta(hours=3)), "serving")
IDLE = "[ingest_processor] No pending jobs found (idle)"


def line(message: str, *, minutes_ago: float, replica: str = "replica-aaaa", severity: str = "info") -> LogLine:
    return LogLine(NOW - timedelta(minutes=minutes_ago), severity, message, replica)


def answer(*lines: LogLine, privacy: Privacy | None = Privacy.BALANCED) -> Answer:
    return logs_answer(LogView(Service.INGEST, CHOICE, (), lines, "", False, privacy, 0, patterns=RUNBOOK))


def test_a_lines_own_level_and_message_are_shown() -> None:
    message = "[ingest_processor] DB smoke test passed"
    written = line(f"2026-11-29 07:48:09 | WARNING  | w | {message}", minutes_ago=0, severity="error")
    view = LogView(Service.INGEST, CHOICE, (), [written], "", False, Privacy.STRICT, 0, patterns=CIVIL)

    assert shown(logs_answer(view)) == [f"06:46:12 warning {message}"]
    assert "| WARNING" in str(logs_answer(replace(view, privacy=None)).data)


def shown(answer: Answer) -> list[str]:
    [block] = [one for one in answer.blocks if one["type"] == "rich_text"]
    return str(block["elements"][0]["elements"][0]["text"]).splitlines()


def test_equal_lines_are_folded_and_the_newest_is_first() -> None:
    idle = [line(IDLE, minutes_ago=n) for n in range(18, -1, -1)]

    found = answer(line("Entering main loop...", minutes_ago=19), *idle)

    assert shown(found) == [
        f"06:46:12 info {IDLE} ({TIMES} 19, 06:28-06:46)",
        "06:27:12 info Entering main loop...",
    ]
    assert "20 lines" in found.text


def test_the_button_for_whole_lines_is_named_only_where_there_is_one() -> None:
    plain = answer(line(IDLE, minutes_ago=0))
    masked = answer(line("plaintiff Jane Roe owes $500", minutes_ago=0))

    assert ["hides data" in str(one.blocks) for one in (plain, masked)] == [False, True]
    assert [LABEL in str(one.blocks) for one in (plain, masked)] == [False, True]


def test_lines_that_differ_or_are_interrupted_are_not_folded() -> None:
    found = answer(
        line(IDLE, minutes_ago=3),
        line("PostgreSQL connection established", minutes_ago=2),
        line(IDLE, minutes_ago=1),
        line(IDLE, minutes_ago=0, severity="error"),
    )

    assert [one[:8] for one in shown(found)] == ["06:46:12", "06:45:12", "06:44:12", "06:43:12"]
    assert TIMES not in "".join(shown(found))


def test_replicas_that_report_the_same_share_a_line_without_a_name() -> None:
    found = answer(
        line(IDLE, minutes_ago=2),
        line("PostgreSQL connection established", minutes_ago=1.5),
        line(IDLE, minutes_ago=1),
        line(IDLE, minutes_ago=0, replica="replica-bbbb"),
    )

    assert shown(found)[0] == f"06:46:12 info {IDLE} ({TIMES} 2, 06:45-06:46)"
    assert shown(found)[-1] == f"06:44:12 info [aaaa] {IDLE}"


def test_logs_leave_out_the_oldest_lines_and_count_them() -> None:
    old = [line("x" * 200, minutes_ago=60)] * 7
    many = [line(f"line {n} " + "y" * 200, minutes_ago=50 - n) for n in range(50)]

    found = answer(*old, *many)

    assert shown(found)[0].startswith("06:45:12 info line 49")
    assert f"… {57 - len(shown(found))} older lines did not fit" in str(found.blocks)


TRACE = (
    "Traceback (most recent call last):",
    '  File "/app/worker.py", line 12, in handle',
    "    store(rows)",
    "ValueError: no county",
    "",
    "During handling of the above exception, another exception occurred:",
    "",
    "Traceback (most recent call last):",
    '  File "/app/worker.py", line 15, in handle',
    "psycopg.errors.UniqueViolation: duplicate key value violates unique constraint",
    "DETAIL:  Key exists.",
)


def test_a_traceback_is_one_entry_in_its_own_order() -> None:
    found = answer(
        line("Claimed a job", minutes_ago=2),
        *(line(text, minutes_ago=1, severity="error") for text in TRACE),
        line("Entering main loop...", minutes_ago=0),
    )

    posted = shown(found)
    assert posted[0] == "06:46:12 info Entering main loop..."
    assert posted[1] == "06:45:12 error Traceback (most recent call last):"
    assert posted[2] == '    File "/app/worker.py", line 12, in handle'
    assert posted[-2].startswith("  DETAIL: ")
    assert posted[-1] == "06:44:12 info Claimed a job"
    order = [
        next(n for n, one in enumerate(posted) if word in one) for word in ("ValueError", "During", "UniqueViolat")
    ]
    assert order == sorted(order)


def test_tracebacks_of_two_replicas_are_not_mixed() -> None:
    of_a = [line(text, minutes_ago=1) for text in TRACE[:4]]
    of_b = [line(text, minutes_ago=1, replica="replica-bbbb") for text in TRACE[:4]]

    posted = shown(answer(*(one for pair in zip(of_a, of_b, strict=True) for one in pair)))

    assert len(posted) == 4  # the lines of both replicas are the same, and folded
    assert f"({TIMES} 2, " in posted[0]


def test_tracebacks_that_follow_each_other_are_two_entries() -> None:
    second = [TRACE[0], TRACE[1], "KeyError: 7"]

    posted = shown(answer(*(line(text, minutes_ago=1) for text in (*TRACE[:4], *second))))

    assert [n for n, one in enumerate(posted) if "Traceback" in one] == [0, 3]
    assert posted[2] == "  KeyError: 7"


def test_the_line_after_a_traceback_is_no_part_of_it() -> None:
    posted = shown(answer(*(line(text, minutes_ago=1) for text in (*TRACE[:4], "Entering main loop..."))))

    assert posted[0].endswith("Entering main loop...")
    assert posted[-1] == "  ValueError: no county"


def test_the_line_after_an_exception_group_is_no_part_of_it() -> None:
    group = (
        "  + Exception Group Traceback (most recent call last):",
        '  |   File "a.py"',
        "  | ExceptionGroup: two",
        "  +-+---------------- 1 ----------------",
        "    | ValueError: one",
        "    +----------",
    )

    posted = shown(answer(*(line(text, minutes_ago=1) for text in (*group, "Ready"))))

    assert posted[0].endswith("info Ready")
    assert posted[1].endswith("Exception Group Traceback (most recent call last):")
    assert len(posted) == 1 + len(group)


def test_a_long_traceback_keeps_its_end() -> None:
    frames = [f'  File "/app/module_{n}.py", line {n}, in call_{n}' for n in range(200)]

    found = answer(*(line(text, minutes_ago=1) for text in (TRACE[0], *frames, "RecursionError: maximum depth")))

    posted = shown(found)
    assert posted[0].endswith("Traceback (most recent call last):")
    assert posted[1].startswith("  … ")
    assert posted[1].endswith(" lines")
    assert posted[-1] == "  RecursionError: maximum depth"


def test_a_traceback_whose_beginning_was_not_read_stays_together() -> None:
    posted = shown(answer(*(line(text, minutes_ago=1) for text in TRACE[1:4])))

    assert [one.split()[-1] for one in posted] == ["handle", "store(rows)", "county"]


def test_the_raw_view_is_as_it_was_written() -> None:
    found = answer(line(IDLE, minutes_ago=1), line(IDLE, minutes_ago=0), privacy=None)

    assert [one[:8] for one in shown(found)] == ["06:45:12", "06:46:12"]
