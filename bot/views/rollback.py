"""The offer of rollback candidates: one recommended button, and a modal with the others."""

from __future__ import annotations

from collections.abc import Sequence

from bot.types import Answer, Block
from bot.views.blocks import actions, clock, command_button, context, fit_message, section
from bot.views.modals import Choice
from bot.views.text import BUTTON_LIMIT, date_token, escape, plain
from playbooks.model import Status
from playbooks.rollback_advice import Offer
from playbooks.rollback_candidates import Candidate

INFO = "\N{INFORMATION SOURCE}\N{VARIATION SELECTOR-16}"
CHOOSE = "rollback.choose"  # action id; the value is the scope: a service, `workers` or `all`


def offer_answer(scope: str, found: Offer) -> Answer:
    """Offer the best candidate as a button, with the reason if it is not recommended. Another person must approve.

    `found`: with at least one candidate.
    """
    best = found.candidates[0]
    first = f"↩️ *Roll back {scope}* to `{best.name}`: {escape(best.evidence)} (recommended)"
    if not best.recommended:
        lead = escape(found.doubt) if found.doubt else f"No target for {scope} is recommended"
        which = "Newer than what runs" if best.is_newer else "What ran before"
        first = f"{INFO} *{lead}.* {which}: `{best.name}`, {escape(best.evidence)}"
    subject = (best.message or "").strip().partition("\n")[0]
    lines = [first, *([escape(subject, limit=200)] if subject else [])]
    buttons = _buttons(scope, found)
    notes = (f"it ran until {date_token(best.until)}", "nothing happens until another person approves it")
    data = [_data(scope, one) for one in found.candidates]
    blocks = [section("\n".join(lines)), *actions(buttons), context(*notes)]
    return Answer(*fit_message(first, blocks), data, Status.OK, private=True)


def _buttons(scope: str, found: Offer) -> list[Block]:
    """Buttons, the faster remedy first; only a recommended candidate is green."""
    best, instead = found.candidates[0], found.instead
    verb = "Return" if best.is_newer else "Roll back"
    label = f"{verb} to {best.short_word}"  # the message's first line names the scope
    sooner = [command_button(instead.label, instead.command)] if instead and instead.command else []
    to_best = command_button(label, _command(scope, best), style="primary" if best.recommended else None)
    return [*sooner, to_best, *([choose_button(scope)] if len(found.candidates) > 1 else [])]


def _data(scope: str, one: Candidate) -> dict[str, object]:
    return {
        "sha": one.sha,
        "deployments": {service.short: name for service, name in one.deployments.items()},
        "evidence": one.evidence,
        "recommended": one.recommended,
        "command": _command(scope, one),
    }


def choose_button(scope: str) -> Block:
    """Button that opens the modal with all candidates."""
    text = {"type": "plain_text", "text": "Another target", "emoji": False}
    return {"type": "button", "action_id": CHOOSE, "text": text, "value": scope}


def choices(candidates: Sequence[Candidate]) -> list[Choice]:
    """The candidates as options of a modal, with their evidence; the value is the word that commands take."""
    return [Choice(one.word, _label(one), plain(_evidence_words(one), limit=BUTTON_LIMIT)) for one in candidates]


def _label(candidate: Candidate) -> str:
    mark = "★ " if candidate.recommended else ""
    subject = (candidate.message or "").strip().partition("\n")[0]
    return f"{mark}{candidate.name} {subject}".strip()


def _evidence_words(candidate: Candidate) -> str:
    """The evidence; without a commit also time and author, because nothing else distinguishes such deployments."""
    if candidate.sha or candidate.made_at is None:
        return candidate.evidence
    by = f" by {candidate.made_by}" if candidate.made_by else ""
    return f"{clock(candidate.made_at)} UTC{by}, {candidate.evidence}"


def _command(scope: str, candidate: Candidate) -> str:
    return f"rollback {scope} to {candidate.short_word}"
