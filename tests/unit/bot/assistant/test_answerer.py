"""How long an answer in words may take."""

from __future__ import annotations

from bot.assistant.answerer import TOTAL_S
from bot.clients import MODEL_TIMEOUT_S


def test_a_slow_model_reaches_the_limit_of_the_answer_before_that_of_a_call() -> None:
    """Otherwise people read of a call that failed, not that the model took too long."""
    assert MODEL_TIMEOUT_S > TOTAL_S
