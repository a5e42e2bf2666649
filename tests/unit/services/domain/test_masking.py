"""Masking of log lines: no person, amount or secret is left, and the shape of the error is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.masking import READ_LIMIT, error_class, mask_line, template

UUID = "123e4567-e89b-12d3-a456-426614174000"

CANARIES = [
    "Canaria",
    "McCanary",
    "O'Kanari",
    "KANARI",
    "kanari",
    "Señora Canäria",
    "山田太郎",
    "\U0001d541\U0001d560\U0001d559\U0001d55f",
    "canary@example.com",
    "$98,765.43",
    "98765.43",
    "2024-CV-98765",
    "078-05-1120",
    "sk-canary98765",
    "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.c2ln",
    "postgres://canary:hunter2@db.example:5432/canary",
    "+1 (555) 010-9876",
    "1987-06-05",
]

SENTENCES = [
    "{}",
    "value {} is out of range",
    "invalid amount: {}",
    'invalid input syntax for type numeric: "{}"',
    "invalid value '{}' in row 7",
    "Key (plaintiff)=({}) already exists.",
    'duplicate key value violates unique constraint "x"\nDETAIL:  Key (plaintiff, defendant)=({}, {}) already exists.',
    "Failing row contains (7, {}, pending, null).",
    '{{"plaintiff": "{}", "rows": [{{"amount": "{}"}}]}}',
    "payload={{'name': '{}'",
    "Plaintiff {} owes {} to the county",
    "[ingest_processor] Processing batch: {}",
    "│  Worker ID:    {}   │",
    'INFO:     10.0.0.1:55 - "GET /api/health?name={} HTTP/1.1" 200 OK',
    "ValueError: {}",
    "Defendant {}: not found",
    "could not parse «{}»",
    "raised `{}` at",
    'column "{}" does not exist',
]


@pytest.mark.parametrize("canary", CANARIES)
def test_no_canary_survives_in_any_sentence(canary: str) -> None:
    words = [word for word in canary.replace(",", " ").replace("(", " ").replace(")", " ").split() if len(word) > 1]
    texts = [sentence.replace("{{", "{").replace("}}", "}").replace("{}", canary) for sentence in SENTENCES]

    masked = {text: template(text) + mask_line(text) for text in texts}

    assert {text: shown for text, shown in masked.items() if any(word in shown for word in words)} == {}


@pytest.mark.parametrize("canary", ["Canaria", "98765.43", "canary@example.com"])
def test_errors_that_differ_in_their_data_only_have_one_template(canary: str) -> None:
    text = 'DETAIL:  Key (case_number)=({}) already exists: "{}" in row 3'

    assert template(text.replace("{}", canary)) == template(text.replace("{}", "Jane Roe, 17"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("permission denied for table ops.job_queue", "permission denied for table ops.job_queue"),
        (
            "ERROR: function ops.claim_pending_job does not exist",
            "ERROR: function ops.claim_pending_job does not exist",
        ),
        (
            'null value in column "plaintiff" of relation "judgments" violates not-null constraint',
            'null value in column "plaintiff" of relation "judgments" violates not-null constraint',
        ),
        (
            'connection to server at "10.0.0.1", port 5432 failed: Connection refused',
            'connection to server at "…", port … failed: Connection refused',
        ),
        ("Failing row contains (1, Jane Roe, 12.00).", "Failing row contains …"),
        ("HTTP 503 from https://api.example/v1/chat", "HTTP 503 from …"),
        ("Judgment Amount: not an amount; Filing Date: in the future", None),
        ("canceling statement due to statement timeout", None),
    ],
)
def test_keeps_the_words_of_programs(text: str, expected: str | None) -> None:
    assert template(text) == (expected or text)


RUNBOOK_LINES = (
    f"[ingest_processor] Claimed job: {UUID}",
    f"[enforcement_engine] Job completed: {UUID}",
    "[ingest_processor] No pending jobs found (idle)",
    "[ingest_processor] Job failed: InFailedSqlTransaction",
    "[ingest_processor] CRITICAL: Crash loop detected after 10 failures",
    f"claim_pending_job: claimed job {UUID}",
    f"update_job_status: job {UUID} -> completed",
    "PostgreSQL connection established",
    "Pool size: 5, max overflow: 10",
    "Entering main loop...",
    "[enforcement_engine] Reviewed: 2000 judgments",
    "[enforcement_engine] Memos: 12 written, 0 refused, 3 left, 0.001440 USD",
    "[enforcement_engine] Memos missing: OPENAI_API_KEY is not set, so results are deterministic only",
    "[enforcement_engine] Memos missing: OpenAI: no answer within 30 s",
    "OPENAI_API_KEY is not set, so results are deterministic only",
    "POST /api/v1/intake/upload 201 35 ms",
    "GET /api/v1/intake/batches/{batch_id} 404 3 ms",
    "GET (unknown path) 404 1 ms",
    "Stop requested: finishing the current job, at most 25 s",
    "│                    DRAGONFLY WORKER STARTING                        │",
    "│  Worker ID:    ingest-abc123                                        │",
    "│  Git SHA:      a1b2c3d4                                             │",
)


@pytest.mark.parametrize("line", RUNBOOK_LINES)
def test_shows_the_lines_of_the_runbook_as_they_are(line: str) -> None:
    assert mask_line(line) == line


@pytest.mark.parametrize(
    "line",
    [
        "[ingest_processor] Job failed: John Smith",
        "GET /api/health/canaria 200 5 ms",
        "[enforcement_engine] Memos missing: OpenAI: John Smith refused",
        'INFO:     203.0.113.7:51234 - "GET /api/health HTTP/1.1" 200 OK',  # a person's address
    ],
)
def test_a_line_that_is_almost_known_is_masked(line: str) -> None:
    assert mask_line(line) != line


def test_a_line_that_only_begins_like_a_known_one_is_masked() -> None:
    assert (
        mask_line(f"[ingest_processor] Claimed job: {UUID} for Jane Roe") == "[ingest_processor] Claimed job: … for …"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("psycopg.errors.UniqueViolation: duplicate key", "UniqueViolation"),
        ("InFailedSqlTransaction: current transaction is aborted", "InFailedSqlTransaction"),
        ("Traceback (most recent call last):\n  x\nValueError: bad", "ValueError"),
        ("JudgeBoom: simulated failure", "JudgeBoom"),
        ("backend.workers.JudgeBoom: simulated failure", "JudgeBoom"),
        ("McDonald: made of a name", None),
        ("duplicate key value violates unique constraint", None),
    ],
)
def test_finds_the_error_class(text: str, expected: str | None) -> None:
    assert error_class(text) == expected


def test_template_hides_text_beyond_the_read_limit() -> None:
    assert template("error " * READ_LIMIT).endswith(" …")


@given(st.lists(st.from_regex(r"\A[A-Z][a-z]{5,12}\Z"), min_size=1, max_size=4), st.sampled_from(SENTENCES))
def test_made_up_names_inside_a_sentence_never_survive(names: list[str], sentence: str) -> None:
    strange = [f"Xq{name.lower()}" for name in names]
    text = sentence.replace("{{", "{").replace("}}", "}").replace("{}", " ".join(strange))

    assert not [name for name in strange if name in template(text) + mask_line(text)]


@given(st.text(max_size=300))
def test_any_text_gives_one_line_without_long_numbers(text: str) -> None:
    masked = template(text)

    assert "\n" not in masked
    assert re.search(r"\d{4}", masked) is None
