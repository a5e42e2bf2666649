"""The time limit of an answer that a model writes."""

from __future__ import annotations

from bot.assistant.answerer import TOTAL_S
from bot.clients import MODEL_TIMEOUT_S


def test_a_slow_model_reaches_the_limit_of_the_answer_before_that_of_a_call() -> None:
    """Otherwise the answer names a failed call as the reason, not a model that took too long."""
    assert MODEL_TIMEOUT_S > TOTAL_S
