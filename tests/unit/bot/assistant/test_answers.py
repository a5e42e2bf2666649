"""The line that shows a proved claim."""

from __future__ import annotations

import pytest

from bot.assistant.answers import claim_line
from bot.assistant.check import Claim, ClaimKind, Proved
from bot.assistant.evidence import Line

LINE = Line("E1", "queue", "318 waiting, oldest 9 min")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("318 waiting.", "• “318 waiting”\n    `queue`"),
        ("318 jobs are waiting", "• 318 jobs are waiting\n    `queue`: “318 waiting”"),
        ("wrong: 318 waiting", "• “318 waiting”\n    `queue`"),  # the word that stands for a sign
        ("Wrong: 318 jobs are waiting", "• 318 jobs are waiting\n    `queue`: “318 waiting”"),
    ],
)
def test_a_claim_that_is_its_quote_is_shown_once(text: str, shown: str) -> None:
    claim = Claim(ClaimKind.OBSERVED, text, ("E1",), "318 waiting")

    assert claim_line(Proved(claim, (LINE,))) == shown
