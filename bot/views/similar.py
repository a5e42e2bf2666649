"""Earlier incidents of the same kind: one line for the diagnosis, and the list of `incident similar`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from bot.types import Answer
from bot.views.blocks import actions, command_button, context, fit_message, section, sections
from bot.views.text import DATE_AND_TIME, date_token, escape, person
from playbooks.model import Status
from services.domain.incidents import SEEN_WITHIN, SimilarIncident
from services.domain.masking import mask_message
from services.domain.text import age, counted, ordinal

CAUSE_LIMIT = 200  # characters
SHOWN = 10


def seen_before_line(similar: Sequence[SimilarIncident]) -> str:
    """ "🔁 *3rd time in 30 days.* Last: incident 5, 12 Nov: “the pool was full” (@ann), ended by run 12.", in mrkdwn.

    The cause is a person's text: it is quoted, masked, and never becomes a button.
    """
    if not similar:
        return ""
    last = similar[0]
    return f"🔁 *{ordinal(len(similar) + 1)} time in {SEEN_WITHIN.days} days.* Last: {_incident_words(last)}"


def similar_answer(incident_id: int, similar: Sequence[SimilarIncident]) -> Answer:
    """The answer of `incident similar`, newest first."""
    if not similar:
        first = f"✅ *Nothing like incident {incident_id}* was resolved in the {SEEN_WITHIN.days} days before it."
        blocks = [section(first)]
    else:
        count = counted(len(similar), "incident")
        first = f"🔁 *{count} like incident {incident_id}* in the {SEEN_WITHIN.days} days before it"
        lines = [f"• {_incident_words(one)}" for one in similar[:SHOWN]]
        left_out = [f"… {len(similar) - SHOWN} more"] if len(similar) > SHOWN else []
        buttons = [command_button(f"Timeline of {one.id}", f"incident timeline {one.id}") for one in similar[:3]]
        note = "the same alert of the same service; no drills, no unresolved incidents, this environment only"
        blocks = [section(first), *sections([*lines, *left_out]), *actions(buttons), context(note)]
    data = {"incident": incident_id, "similar": [asdict(one) for one in similar]}
    return Answer(*fit_message(first, blocks), data, Status.OK, private=True)


def _incident_words(similar: SimilarIncident) -> str:
    cause = escape(mask_message(similar.cause), limit=CAUSE_LIMIT)
    ended = f", ended by run {similar.run_id}" if similar.run_id is not None else ""
    when = date_token(similar.opened_at, DATE_AND_TIME)
    lasted = age(similar.resolved_at - similar.opened_at)
    return f"incident {similar.id}, {when}, for {lasted}: “{cause}” ({person(similar.resolved_by)}){ended}"
