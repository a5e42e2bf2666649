"""Masking of messages: people's own words stay; pasted text and data are removed before they are stored or sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.masking import mask_message


@pytest.mark.parametrize(
    "words",
    [
        "it was the pool, Ben restarted it",
        "rolled back to a1b2c3d4",
        "2 of 3 beat again",
        "since 2025-12-20 14:05, or 2025-12-20T14:05:00Z",
        "318 waiting, oldest 9.5 min, Python 3.11, port 5432, run 12 of 1000/day",
        "<@U0OLIVIA001> please look at dragonfly-worker-ingest and ops.job_queue",
        "in any case 3 of them, the index on county is fine",
        "the plaintiff is missing in row 7",
        "no token, no password",
    ],
)
def test_plain_words_stay(words: str) -> None:
    assert mask_message(words) == words


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("look: ```Key (plaintiff)=(Jane Roe) already exists```", "Jane"),
        ("look: `duplicate key Jane Roe`", "Jane"),
        ("he wrote\n&gt; Jane Roe owes it\nand left", "Jane"),
        ("write to jane.roe@example.org", "jane"),
        ("write to <mailto:jane.roe@example.org|Jane>", "jane.roe"),
        ("see <https://example.org/jane-roe|this>", "jane-roe"),
        ("she owes $1,204.50", "1,204"),
        ("she owes 1204 dollars", "1204"),
        ("the key is sk_live_abc123def456", "abc123"),
        ("her case is 20241234567", "20241234567"),
        ("she owes 48,613.77", "48,613"),
        ("she owes 48613.77", "48613"),
        ("USD 1204 are missing", "1204"),
        ("call (555) 010-9876", "010-9876"),
        ("call 555.010.9876 today", "010"),
        ("call +49 30 1234567", "1234567"),
        ("her number is 078-05-1120", "078-05"),
        ("it is 24-CV-1234", "1234"),
        ("it is CV-1234-24/KI", "1234"),
        ("it is 12345/2024", "12345"),
        ("it is index no. 4711", "4711"),
        ("docket 4711 fails", "4711"),
        ("Roe v. Acme Holdings fails", "Roe"),
        ("Roe v. Acme Holdings fails", "Holdings"),
        ("the plaintiff Jane Roe called", "Jane Roe"),
        ("Defendant: O'Brien & Sons", "Brien"),
        ("password: hunter2", "hunter2"),
        ("the key is sk-live-abcdefghijkl", "abcdef"),
        ("use postgresql://bot:hunter2@localhost/d", "hunter2"),
    ],
)
def test_mask_message_removes_pasted_text_and_personal_data(text: str, secret: str) -> None:
    masked = mask_message(text)

    assert secret not in masked
    assert "…" in masked


def test_the_words_around_a_quote_stay() -> None:
    assert mask_message("he wrote\n&gt; Jane Roe\nand left").splitlines()[::2] == ["he wrote", "and left"]


def test_the_words_beside_what_goes_stay() -> None:
    masked = mask_message("the plaintiff Jane Roe owes $12 in Roe v. Acme and called (555) 010-9876")

    assert masked == "the plaintiff … owes … in … and called …"
    assert mask_message("Fix it, by Ann <ann@example.org>") == "Fix it, by Ann …"


@given(st.text(max_size=200))
def test_mask_message_does_not_change_masked_text(text: str) -> None:
    """A reason may be masked more than once."""
    once = mask_message(text).replace("&", "").replace("`", "").replace(">", "")

    assert mask_message(mask_message(once)) == mask_message(once)


@pytest.mark.parametrize("piece", ["A ", "1,", "a@", "A.v ", "a", "1-", "x://", "docket ", "<http:", "`"])
@pytest.mark.timeout(60)
def test_no_message_takes_long(piece: str) -> None:
    """A pattern of cubic time would take hours for this."""
    mask_message(piece * (20_000 // len(piece)))
