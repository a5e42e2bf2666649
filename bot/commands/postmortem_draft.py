"""The draft of a postmortem, for a person to edit: by the model if they may ask it, otherwise by rules."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.assistant.answerer import TOO_LATE, TOTAL_S
from bot.assistant.draft import (
    INSTRUCTIONS,
    MAX_OUTPUT_TOKENS,
    ProseSentences,
    WrittenDraft,
    check_draft,
    draft_lines,
    entries_text,
)
from bot.assistant.evidence import Line
from bot.assistant.model import Model, NoModelAnswerError, PaidCalls
from bot.commands.incident import draft_text
from bot.commands.model_access import ModelAccess
from bot.views.incidents import event_words
from services.clients.openai import Question
from services.domain.errors import SourceError
from services.domain.incidents import IncidentRecord
from services.domain.text import counted


@dataclass(frozen=True)
class Draft:
    """A draft. `origin`: sentence for the editor that says whether a model or the rules wrote it."""

    text: str
    origin: str


async def write_draft(record: IncidentRecord, names: Mapping[str, str], access: ModelAccess) -> Draft:
    """Write a draft within 20 s. A failure of the model never raises. `names`: `{Slack id: name}`."""
    model, why_not = await access.usable_model()
    lines = draft_lines({n: event_words(one) for n, one in enumerate(record.events) if one.by is None and not one.ts})
    ask_id = await access.begin() if model is not None and lines else None
    if model is None or ask_id is None:
        return Draft(draft_text(record, names), f"Written from the timeline by rules. {why_not}".strip())
    calls = _calls(model, access, ask_id)
    sentences, outcome, why = await _ask(calls, lines)
    try:
        await access.record(
            ask_id,
            question=f"draft the postmortem of incident {record.incident.id}",
            reads=["incident timeline"],
            outcome=outcome,
            model=model.name,
            spent=calls.spent,
            proved=len(sentences.texts),
            dropped=sentences.dropped,
        )
    except SourceError as error:
        why, sentences = f"the question was not recorded ({error.why})", ProseSentences()
    if not sentences.texts:
        why = why or "no sentence of the model is proved"
        return Draft(draft_text(record, names), f"Written from the timeline by rules: {why}.")
    return Draft(draft_text(record, names, sentences=sentences), _origin(model.name, sentences))


async def _ask(calls: PaidCalls, lines: Sequence[Line]) -> tuple[ProseSentences, str, str]:
    """Return the sentences, the outcome in one word, and, if there are none, the reason as a clause."""
    try:
        async with asyncio.timeout(TOTAL_S):
            answer = await calls.ask(Question(INSTRUCTIONS, entries_text(lines), WrittenDraft, MAX_OUTPUT_TOKENS))
    except TimeoutError:
        return ProseSentences(), "too_late", TOO_LATE
    except NoModelAnswerError as error:
        return ProseSentences(), error.outcome, error.why
    except SourceError as error:
        return ProseSentences(), "failed", error.why
    checked = check_draft(answer, lines)
    return (checked, "checked", "") if checked else (ProseSentences(), "refused", "its answer was not usable")


def _calls(model: Model, access: ModelAccess, ask_id: int) -> PaidCalls:
    assert access.world.database is not None  # noqa: S101 - the question has a number, so it is stored
    user_id = access.person.user_id if access.person else None
    return PaidCalls(model, access.world.database, ask_id=ask_id, user_id=user_id)


def _origin(model: str, sentences: ProseSentences) -> str:
    dropped = f"; {counted(sentences.dropped, 'sentence')} dropped" if sentences.dropped else ""
    return (
        f"Written from the timeline by {model}, each sentence checked against its entry{dropped}. Check each sentence."
    )
