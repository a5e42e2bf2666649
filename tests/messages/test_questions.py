"""Answers in words: what a recorded model says of planted troubles; `make golden` rewrites it.

Each run is another process, with another order of sets: the same recording gives the same text, to the byte.
"""

from __future__ import annotations

from decimal import Decimal

from bot.assistant.answers import Shown, Written, ask_answer
from tests.assistant import models
from tests.assistant.conftest import Wire
from tests.assistant.conftest import wire as wire
from tests.assistant.corpus import load_cases
from tests.messages.conftest import Compare
from tests.messages.render import answer_text

CASES = load_cases()[::6]  # some of each file


async def test_answers_in_words(wire: Wire, golden: Compare) -> None:
    texts: dict[str, str] = {}

    for case in CASES:
        part = await wire.answer(case.question, case.run_read)
        written = Written("local", 1000, Decimal("0.001"), part.checked, part.unknown, part.next, part.why_not)
        texts[case.name] = answer_text(ask_answer(Shown(case.question, ask_id=1, written=written)))

    wire.server.speak = models.liar
    part = await wire.answer("why is ingest slow?", CASES[0].run_read)
    written = Written("local", 1000, Decimal("0.001"), part.checked, part.unknown, part.next, part.why_not)
    texts["a model that lies"] = answer_text(ask_answer(Shown("why is ingest slow?", ask_id=1, written=written)))
    golden("questions", texts)
