from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clients.openai import Question
from services.domain.model_prices import Prices, Usage
from services.enforcement_worker.memo import Memo
from services.enforcement_worker.memo_jobs import Budget

PRICES = Prices(Decimal("0.15"), Decimal("0.60"))
costs = st.decimals(min_value="0", max_value="0.2", places=6)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(1_000_000, 1_000_000), "0.750000"),
        (Usage(1000, 500), "0.000450"),
        (Usage(1, 0), "0.000001"),  # rounded up
        (Usage(0, 0), "0.000000"),
    ],
)
def test_a_cost_is_exact_and_rounded_up(usage: Usage, cost: str) -> None:
    assert str(PRICES.cost_of(usage)) == cost


@given(st.lists(st.tuples(costs, st.decimals(min_value="0", max_value="1", places=3))))
def test_never_spends_more_than_its_limit(questions: list[tuple[Decimal, Decimal]]) -> None:
    budget, spent = Budget(Decimal(1)), Decimal(0)
    for most, share in questions:
        if budget.reserve(most):
            spent += most * share
            budget.settle(most, most * share)

    assert spent == budget.reserved <= 1


def test_a_question_without_an_answer_stays_reserved() -> None:
    budget = Budget(Decimal("0.3"))

    assert budget.reserve(Decimal("0.2"))
    assert not budget.reserve(Decimal("0.2"))
    budget.settle(Decimal("0.2"), Decimal("0.1"))
    assert budget.reserve(Decimal("0.2"))


def test_estimates_more_tokens_than_english_has() -> None:
    question = Question("word " * 400, "word " * 400, Memo, 900)

    assert question.most_tokens.input_tokens > 800
    assert question.most_tokens.output_tokens == 900
