"""The table of SQLSTATEs: problems of the server, and problems of the statement."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from services.clients.postgres.errors import (
    POOLER_REFUSALS,
    SERVER_TROUBLE,
    PoolerRefusal,
    explain,
    explain_connect,
    loses_the_answer,
    pooler_refusal,
    server_trouble,
)

PAGE = (Path(__file__).parents[5] / "docs" / "sqlstates.md").read_text(encoding="utf-8")
WANTED = (
    *("53100", "53200", "53300", "53400", "57P03", "57P04", "57P05", "58030", "58000", "XX000", "25006"),
    *("08000", "08001", "08003", "08004", "08006"),
)


@pytest.mark.parametrize("sqlstate", WANTED)
def test_the_servers_problem_can_be_retried(sqlstate: str) -> None:
    error = explain(errors.lookup(sqlstate)(), timeout_s=5)

    assert error.is_outage
    assert error.takes_no_writes is (sqlstate in ("53100", "25006"))


@pytest.mark.parametrize("sqlstate", ["22P02", "23505", "42501", "42P01", "25P02", "XX001", "53000", "57014"])
def test_server_trouble_is_none_for_other_codes(sqlstate: str) -> None:
    assert server_trouble(sqlstate) is None


def test_a_code_counts_before_its_class() -> None:
    assert server_trouble(None) is None
    assert server_trouble("08P01") == SERVER_TROUBLE["08"]


def test_a_broken_connection_leaves_the_outcome_unknown() -> None:
    assert [loses_the_answer(one) for one in (None, "08006", "57P02", "57P01", "53100")] == [
        True,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("sqlstate", SERVER_TROUBLE)
def test_the_page_shows_the_table(sqlstate: str) -> None:
    trouble = SERVER_TROUBLE[sqlstate]
    code = f"`{sqlstate}`" + (" (whole class)" if len(sqlstate) == 2 else "")
    refused = "refused " if trouble.takes_no_writes else ""

    assert f"| {code} | {trouble.why} | {refused}|" in PAGE


def test_the_page_shows_nothing_else() -> None:
    codes = re.findall(r"^\| `([0-9A-Z]{2}|[0-9A-Z]{5})`", PAGE, re.MULTILINE)
    words = re.findall(
        r"^\| `([^`]+)` \| (?:the|too) .* \| (?:yes )?\|$", PAGE.partition("## What a pooler writes")[2], re.MULTILINE
    )

    assert codes == list(SERVER_TROUBLE)
    assert words == [words for words, _ in POOLER_REFUSALS]


@pytest.mark.parametrize(("words", "refusal"), POOLER_REFUSALS)
def test_the_page_shows_what_the_poolers_write(words: str, refusal: PoolerRefusal) -> None:
    assert f"| `{words}` | {refusal.why} | {'yes ' if refusal.retryable else ''}|" in PAGE
    assert pooler_refusal(words.upper()) == refusal


@pytest.mark.parametrize(
    ("text", "why", "retryable"),
    [
        (
            'connection to server at "db.abc.supabase.co" (2a05:d014::1), port 5432 failed: Network is unreachable\n'
            "\tIs the server running on that host and accepting TCP/IP connections?",
            "if that is IPv6, use the pooler's host",
            True,
        ),
        ("FATAL:  Wrong password", "password refused", False),
        ("error received from server in SCRAM exchange: Wrong password", "password refused", False),
        (
            'FATAL:  Authentication error, reason: "Authentication query failed: timeout"',
            "the pooler could not check the login in the database",
            True,
        ),
    ],
)
def test_names_why_no_session_comes_about(text: str, why: str, retryable: bool) -> None:
    error = explain_connect(psycopg.OperationalError(text))

    assert why in error.why
    assert error.retryable is retryable
