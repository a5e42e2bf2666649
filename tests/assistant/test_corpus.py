"""The right model finds the cause of each planted problem, and says unknown about reads that fail."""

from __future__ import annotations

import json
from decimal import Decimal

from bot.assistant.answerer import ModelPart
from bot.assistant.answers import Shown, Written, ask_answer
from bot.assistant.catalogue import reads_for
from bot.assistant.check import ClaimKind
from services.domain.systems import RUNBOOK
from tests.assistant import models
from tests.assistant.conftest import Wire
from tests.assistant.corpus import Case, load_cases
from tests.openai_server import Posted, response

CASES = load_cases()


def right(request: models.Request) -> Posted:
    """Chooses reads by the question's words, as a good model does, and writes what its lines prove."""
    if not models.is_choice(request):
        return models.right(request)
    verbs = [read.verb.value for read in reads_for(models.asked(request)["question"], RUNBOOK, has_incident=False)]
    return Posted(response(models.chosen(*dict.fromkeys([*verbs, "queue", "heartbeats"]))))


def message(case: Case, part: ModelPart) -> str:
    written = Written("local", 1000, Decimal("0.001"), part.checked, part.unknown, part.next, part.why_not)
    return json.dumps(ask_answer(Shown(case.question, written=written)).blocks, ensure_ascii=False)


async def test_the_right_model_finds_every_cause_and_is_never_confidently_wrong(wire: Wire) -> None:
    wire.server.speak = right
    missed: list[str] = []

    for case in CASES:
        part = await wire.answer(case.question, case.run_read)
        read = {one.verb.value for one in part.reads}
        stated = " ".join(one.claim.text for one in part.checked.proved)
        unknown = {line.source.partition(" all")[0] for line in part.unknown}
        if part.outcome != "checked" or part.checked.dropped:
            missed.append(f"{case.name}: {part.outcome}, dropped {part.checked.dropped}")
        if not set(case.needs) <= read:
            missed.append(f"{case.name}: did not read {set(case.needs) - read}")
        missed += [f"{case.name}: does not state {cause!r}: {stated}" for cause in case.causes if cause not in stated]
        if not set(case.unknown) <= unknown:
            missed.append(f"{case.name}: does not call {case.unknown} unknown")
        if not case.causes and any(one.claim.kind is not ClaimKind.UNKNOWN for one in part.checked.proved):
            missed.append(f"{case.name}: claims a cause where there is none: {stated}")

    assert len(CASES) >= 60
    assert not missed


async def test_the_liar_gets_nothing_through(wire: Wire) -> None:
    wire.server.speak = models.liar

    for case in CASES:
        part = await wire.answer(case.question, case.run_read)

        assert part.outcome == "checked"
        assert part.checked.proved == (), case.name


async def test_the_talker_gets_nothing_through(wire: Wire) -> None:
    wire.server.speak = models.talker

    part = await wire.answer("why?", CASES[0].run_read)

    assert part.checked.proved == ()


async def test_the_same_recording_gives_the_same_text_to_the_byte(wire: Wire) -> None:
    """The requests are compared too: one that differs fails the test."""
    wire.server.speak = right

    first = [message(case, await wire.answer(case.question, case.run_read)) for case in CASES[:20]]
    sent, wire.server.requests = wire.server.requests, []
    second = [message(case, await wire.answer(case.question, case.run_read)) for case in CASES[:20]]

    assert first == second
    assert wire.server.requests == sent


async def test_a_slow_model_ends_within_its_time(wire: Wire) -> None:
    wire.server.speak = models.slow

    part = await wire.answer("why?", CASES[0].run_read, total_s=0.3)

    assert (part.outcome, part.why_not) == ("too_late", "the model took too long")


async def test_the_model_sees_no_foreign_word_before_it_chooses(wire: Wire) -> None:
    wire.server.speak = right

    await wire.answer("why does Kowalski's upload fail?", CASES[0].run_read)

    assert "Kowalski" not in wire.server.requests[0]
    assert set(json.loads(json.loads(wire.server.requests[0])["input"])) == {"question", "incident"}


async def test_a_second_round_reads_what_the_model_lacks_and_no_third_is_run(wire: Wire) -> None:
    def curious(request: models.Request) -> Posted:
        if models.is_choice(request):
            return Posted(response(models.chosen("doctor")))
        return Posted(response(models.written([], more=["queue", "doctor"])))

    wire.server.speak = curious

    part = await wire.answer("why?", CASES[0].run_read)

    assert [read.line for read in part.reads] == ["doctor all", "queue"]
    assert len(wire.server.requests) == 3


async def test_no_hosted_tool_is_offered_and_nothing_is_stored(wire: Wire) -> None:
    wire.server.speak = right

    await wire.answer("why?", CASES[0].run_read)

    for request in map(json.loads, wire.server.requests):
        assert "tools" not in request
        assert request["store"] is False
        assert request["text"]["format"]["strict"] is True
