"""The measurement of models counts the known behavior of simulated ones."""

from __future__ import annotations

from decimal import Decimal

from tests.assistant import models
from tests.assistant.conftest import Wire
from tests.assistant.corpus import Case, load_cases
from tests.assistant.measure import measure

TROUBLE = [case for case in load_cases() if case.causes][:4]
FINE = [case for case in load_cases() if not case.causes and not case.unknown][:4]


async def test_a_model_that_says_nothing_true_is_never_right_and_never_wrong(wire: Wire) -> None:
    wire.server.speak = models.liar

    measured = await measure(wire.client, TROUBLE, times=2)

    assert (measured.answers, measured.right, measured.wrong, measured.claims) == (8, 0, [], 0)
    assert measured.dropped > 0


async def test_a_model_without_an_answer_is_not_right_where_nothing_is_wrong(wire: Wire) -> None:
    wire.server.speak = models.refusing

    measured = await measure(wire.client, FINE, times=1)

    assert (measured.unanswered, measured.right) == (len(FINE), 0)
    assert "unknown USD" in measured.line


async def test_trouble_that_is_stated_where_there_is_none_is_confidently_wrong(wire: Wire) -> None:
    """One read shows a problem in a case without problems."""
    case = FINE[0]
    false = Case(case.name, case.question, (), (), (), {"queue": "🔴 wrong: 318 jobs waiting"})

    measured = await measure(wire.client, [false, *FINE[1:]], times=1)

    assert measured.wrong == [case.name]


async def test_the_right_model_is_right_and_what_it_costs_is_counted(wire: Wire) -> None:
    wire.client.model = "gpt-6-luna"

    measured = await measure(wire.client, FINE, times=1)

    assert (measured.right, measured.wrong, measured.unanswered) == (len(FINE), [], 0)
    assert measured.usd == Decimal("0.000090") * 2 * len(FINE)
