"""Builds the message that answers a question: the answer by rules, then the model's checked claims. Pure.

A claim is plain text that passed the check; it is escaped anyway, like all text from outside this project.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from bot.assistant.catalogue import Read
from bot.assistant.check import Checked, Claim, ClaimKind, Proved, without_status
from bot.assistant.evidence import Line
from bot.assistant.rules import RuleAnswer
from bot.types import Answer, Block
from bot.views.blocks import action_button, actions, command_button, context, fit_message, section, sections
from bot.views.causes import cause_line
from bot.views.findings import SIGN, finding_line, step_button
from bot.views.text import code, escape
from playbooks.model import NextStep, Status
from services.domain.errors import Choice
from services.domain.text import counted

STOP, RATE_UP, RATE_DOWN = "ask.stop", "ask.rate.up", "ask.rate.down"  # action ids; the value is the ask's number
QUESTION_LIMIT, CLAIM_LIMIT = 200, 300


@dataclass(frozen=True)
class Shown:
    """The answer so far. `ask_id`: None if it could not be stored. `step`: the current step; empty once it is answered.
    `hint`, `choices`: for words that are no command, the command that was probably meant, if one is close."""

    question: str
    ask_id: int | None = None
    rules: RuleAnswer | None = None
    step: str = ""
    offered: Sequence[Read] = ()
    hint: str = ""
    choices: Sequence[Choice] = ()
    written: Written | None = None
    note: str = ""
    is_elsewhere: bool = False


@dataclass(frozen=True)
class Written:
    """The model's part of the message. `why_not`: why there are no claims, as a clause."""

    model: str
    tokens: int
    usd: Decimal
    checked: Checked = field(default_factory=lambda: Checked((), ()))
    unknown: Sequence[Line] = ()
    next: Sequence[Read] = ()
    why_not: str = ""


def ask_answer(shown: Shown) -> Answer:
    """Build the message from what is known so far."""
    blocks = [section(f"💬 *{escape(shown.question, limit=QUESTION_LIMIT)}*"), *_hint(shown), *_rules(shown)]
    if shown.is_elsewhere:
        blocks.append(section("🔒 The rest is shown to the requester only: it quotes private reads."))
    elif shown.written is not None:
        blocks += _written(shown.written)
    if shown.step:
        blocks.append(context(f"⏳ {escape(shown.step, limit=CLAIM_LIMIT)} …"))
    blocks += actions(list(_buttons(shown)))
    blocks += [context(*notes)] if (notes := list(_notes(shown))) else []
    status = shown.rules.status if shown.rules else Status.UNKNOWN
    return Answer(*fit_message(_text(shown), blocks), _data(shown), status, step=shown.step)


def _hint(shown: Shown) -> list[Block]:
    if not shown.hint:
        return []
    buttons = [command_button(one.label or f"Run {one.line}", one.line) for one in shown.choices]
    return [section(shown.hint), *actions(buttons)]


def _rules(shown: Shown) -> list[Block]:
    rules = shown.rules
    if rules is None:
        return []
    blocks = [section(cause_line(one), accessory=step_button(one.finding.next_step)) for one in rules.causes]
    blocks += [section(finding_line(one), accessory=step_button(one.next_step)) for one in rules.findings]
    blocks += sections(map(finding_line, rules.unknown))
    if not blocks:
        blocks = [section(f"{SIGN[Status.OK]} *Nothing is wrong{_with(rules)}*, by the checks of `doctor`.")]
    if rules.left_out:
        other = NextStep("Everything", "doctor")
        blocks.append(section(f"… {counted(rules.left_out, 'other problem')}", accessory=step_button(other)))
    return blocks


def _with(rules: RuleAnswer) -> str:
    return f" with {', '.join(sorted(service.short for service in rules.about))}" if rules.about else ""


def _written(written: Written) -> list[Block]:
    if written.why_not:
        return [section(f"❔ No written answer: {escape(written.why_not, limit=CLAIM_LIMIT)}.")]
    lines = [*map(claim_line, written.checked.proved), *map(_unknown_line, written.unknown)]
    return sections(lines or ["❔ The data that was read proves no answer."])


def claim_line(proved: Proved) -> str:
    """Render a claim with its proof: its quote, or the reads of its lines."""
    claim, lines = proved.claim, proved.lines
    text = escape(without_status(claim.text), limit=CLAIM_LIMIT)
    sources = ", ".join(code(source) for source in dict.fromkeys(line.source for line in lines))
    match claim.kind:
        case ClaimKind.OBSERVED:
            quote = f"“{escape(without_status(claim.quote), limit=CLAIM_LIMIT)}”"
            return f"• {quote}\n    {sources}" if _is_same(claim) else f"• {text}\n    {sources}: {quote}"
        case ClaimKind.INFERRED:
            return f"• *Likely, not proved:* {text}\n    from {sources}"
        case ClaimKind.UNKNOWN:
            return f"❔ {text}"


def _is_same(claim: Claim) -> bool:
    """True if the text equals its quote, which is then shown once."""
    text, quoted = (without_status(one).strip().rstrip(".").casefold() for one in (claim.text, claim.quote))
    return text == quoted


def _unknown_line(line: Line) -> str:
    return f"❔ {code(line.source)}: {escape(line.text.removeprefix('❔ '), limit=CLAIM_LIMIT)}"


def _buttons(shown: Shown) -> Iterator[Block]:
    if shown.step:
        yield from [] if shown.ask_id is None else [action_button("Stop", STOP, str(shown.ask_id))]
        return
    reads = shown.written.next if shown.written and shown.written.next else shown.offered
    for read in reads:
        if read.command is not None:
            yield command_button(read.command.capitalize(), read.command)
    if shown.ask_id is not None:
        yield action_button("👍", RATE_UP, str(shown.ask_id))
        yield action_button("👎", RATE_DOWN, str(shown.ask_id))


def _notes(shown: Shown) -> Iterator[str]:
    written = shown.written
    if written is not None and not shown.is_elsewhere:
        dropped = len(written.checked.dropped)
        more = f" · {counted(dropped, 'claim')} dropped: not proved by what was read" if dropped else ""
        yield f"{code(written.model)} · {written.tokens:,} tokens · {written.usd:.4f} USD{more}"
    if shown.note:
        yield escape(shown.note, limit=CLAIM_LIMIT)


def _text(shown: Shown) -> str:
    lines = [f"💬 {escape(shown.question, limit=QUESTION_LIMIT)}"]
    if shown.rules is not None:
        lines += [cause_line(one) for one in shown.rules.causes]
        lines += map(finding_line, [*shown.rules.findings, *shown.rules.unknown])
        lines += [] if len(lines) > 1 else [f"{SIGN[Status.OK]} Nothing is wrong{_with(shown.rules)}."]
    if shown.written is not None and not shown.is_elsewhere:
        lines += map(claim_line, shown.written.checked.proved)
    return "\n".join([*lines, *([f"⏳ {escape(shown.step, limit=CLAIM_LIMIT)} …"] if shown.step else [])])


def _data(shown: Shown) -> dict[str, object]:
    rules, written = shown.rules, shown.written
    found = [*(one.finding for one in rules.causes), *rules.findings, *rules.unknown] if rules else []
    claims = [
        {"kind": one.claim.kind.value, "text": one.claim.text, "quote": one.claim.quote or None,
         "from": [line.source for line in one.lines]}
        for one in (written.checked.proved if written else ())
    ]  # fmt: skip
    return {
        "question": shown.question,
        "findings": [{"check": one.check, "status": one.status.value, "title": one.title} for one in found],
        "claims": claims,
        "dropped": len(written.checked.dropped) if written else 0,
        "model": written.model if written else None,
        "tokens": written.tokens if written else 0,
        "cost_usd": str(written.usd) if written else "0",
        "no_claims_because": (written.why_not if written else shown.note) or None,
    }
