"""Evidence: the lines of the reads as a model sees them, masked and bounded."""

from __future__ import annotations

import pytest

from bot.assistant.evidence import LINE_LIMIT, MAX_LINES, MAX_LINES_PER_READ, collect, mask_evidence, unknown_sources


@pytest.mark.parametrize(
    "line",
    [
        "🔴 wrong: ingest 0 of 2 alive — last beat 6 min ago; 1 missing",
        "✅ api ok in 12 ms — SHA a1b2c3d4",
        "❔ queue unknown — no answer within 5 s",
        "06:45:12 error psycopg.OperationalError: connection refused",
        "as of 2025-12-20 10:30 UTC · stale after 5 min · 2 stopped",
        "8d1bfe22  60 min  waiting   simplicity_ingest",
    ],
)
def test_our_own_lines_stay_whole(line: str) -> None:
    assert mask_evidence(line) == line


@pytest.mark.parametrize(
    "canary",
    ["Kowalski", "CANARY-7f3a", "evil.example", "PWNED", "<!channel>", "<@U0ANN>", "https://evil.example/x", "Łukasz",
     "jane@roe.example", "sk-abcdef0123456789abcdef", "*Approve*", "`rm`", "123456789012"],
)  # fmt: skip
def test_no_foreign_word_address_or_mark_up_stays(canary: str) -> None:
    shown = mask_evidence(f"deployed a1b2c3d4 by Ann: {canary} {canary}, then {canary}.")

    assert canary not in shown
    assert not set("<>@#*`|") & set(shown)


def test_lines_have_ids_of_their_own_and_buttons_are_no_evidence() -> None:
    text = "✅ api ok\n    → Logs of api: dragonfly logs api\n\n✅ intake ok"

    lines = collect([("health all", text), ("queue", "3 waiting")], first=5)

    assert [(line.id, line.source, line.text) for line in lines] == [
        ("E5", "health all", "✅ api ok"),
        ("E6", "health all", "✅ intake ok"),
        ("E7", "queue", "3 waiting"),
    ]
    assert [line.is_finding for line in lines] == [True, True, False]


def test_evidence_is_bounded() -> None:
    lines = collect([(f"read {n}", "\n".join(["waiting " * 100] * 200)) for n in range(6)])

    assert len(lines) == MAX_LINES
    assert sum(line.source == "read 0" for line in lines) == MAX_LINES_PER_READ
    assert max(len(line.text) for line in lines) <= LINE_LIMIT


def test_one_unknown_line_per_read() -> None:
    lines = collect([("queue", "❔ queue unknown — no answer within 5 s\n❔ lock waits unknown"), ("sha", "✅ api ok")])

    assert [line.id for line in unknown_sources(lines)] == ["E1"]


@pytest.mark.parametrize(
    "name", ["queue.health", "ingest.services", "restart.sh", "api.support/login", "see worker.new", "log.live?"]
)
def test_a_host_name_of_known_words_is_hidden(name: str) -> None:
    assert name.split()[-1].partition("/")[0].rstrip("?") not in mask_evidence(f"06:45:12 error {name} failed")


@pytest.mark.parametrize(
    "dressed", [":white_check_mark: ingest healthy", "✅ ingest healthy", "info ✅🟢 ingest healthy"]
)
def test_a_sign_of_status_in_what_was_read_is_removed(dressed: str) -> None:
    shown = mask_evidence(f"06:45:12 info {dressed}")

    assert not set("✅🟢") & set(shown)
    assert ":white" not in shown
    assert mask_evidence("_healthy_ at 10:15:02") == "healthy at 10:15:02"


def test_the_word_unknown_in_a_log_is_no_source_that_is_away() -> None:
    assert unknown_sources(collect([("logs ingest", "06:45:12 error unknown job\n06:45:13 ❔ unknown")])) == ()
