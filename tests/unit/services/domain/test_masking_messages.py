"""A marked message leaves the channel: what people say stays, what they pasted and what is data goes."""

from __future__ import annotations

import pytest

from services.domain.masking_messages import mask_message


@pytest.mark.parametrize("words", ["it was the pool, Ben restarted it", "rolled back to a1b2c3d4", "2 of 3 beat again"])
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
    ],
)
def test_what_was_pasted_and_what_is_data_goes(text: str, secret: str) -> None:
    masked = mask_message(text)

    assert secret not in masked
    assert "…" in masked


def test_the_words_around_a_quote_stay() -> None:
    assert mask_message("he wrote\n&gt; Jane Roe\nand left").splitlines()[::2] == ["he wrote", "and left"]
