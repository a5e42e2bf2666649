"""Where to roll back to: one recommended button, and the way to the other candidates."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Answer, Block
from bot.views.blocks import BUTTON_LIMIT, actions, command_button, context, section
from bot.views.message import fit_message
from bot.views.modals import Choice
from bot.views.text import date_token, escape, plain
from playbooks._candidates import Candidate
from playbooks._contract import Status
from services.domain.sha import short_sha

CHOOSE = "rollback.choose"  # the value is what is rolled back: a service, `workers` or `all`


def offer_answer(scope: str, candidates: Sequence[Candidate]) -> Answer:
    """The best candidate as a button; nothing happens before somebody else approves. At least one candidate."""
    best = candidates[0]
    word = "recommended" if best.is_proven else "the best there is, and not proven"
    first = f"↩️ *Roll back {scope}* to `{short_sha(best.sha)}`: {escape(best.evidence)}"
    subject = (best.message or "").strip().partition("\n")[0]
    lines = [f"{first} ({word})", *([escape(subject, limit=200)] if subject else [])]
    label = f"Roll back {scope} to {short_sha(best.sha)}: {best.evidence}"
    buttons = [command_button(label, _command(scope, best), style="primary")]
    buttons += [choose_button(scope)] if len(candidates) > 1 else []
    notes = (f"it served until {date_token(best.until)}", "nothing happens before somebody else approves it")
    data = [{"sha": one.sha, "evidence": one.evidence, "command": _command(scope, one)} for one in candidates]
    blocks = [section("\n".join(lines)), *actions(buttons), context(*notes)]
    return Answer(*fit_message(first, blocks), data, Status.OK, private=True)


def choose_button(scope: str) -> Block:
    """Opens the modal with all candidates."""
    text = {"type": "plain_text", "text": "Another target", "emoji": False}
    return {"type": "button", "action_id": CHOOSE, "text": text, "value": scope}


def choices(candidates: Sequence[Candidate]) -> list[Choice]:
    """The candidates as a modal lists them; each comes back as its SHA."""
    return [Choice(one.sha, _label(one), plain(one.evidence, limit=BUTTON_LIMIT)) for one in candidates]


def _label(candidate: Candidate) -> str:
    mark = "★ " if candidate.recommended else ""
    subject = (candidate.message or "").strip().partition("\n")[0]
    return f"{mark}{short_sha(candidate.sha)} {subject}".strip()


def _command(scope: str, candidate: Candidate) -> str:
    return f"rollback {scope} to {short_sha(candidate.sha)}"
