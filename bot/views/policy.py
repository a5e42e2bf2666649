"""What the policy says of one person and one change."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.commands._contract import Answer
from bot.views.blocks import context, section, sections
from bot.views.message import fit_message
from bot.views.plain import mrkdwn_text
from bot.views.plan import NEEDS
from bot.views.text import code
from playbooks._contract import Risk

_OF_THEM = tuple(
    (re.compile(said, re.IGNORECASE), meant)
    for said, meant in (
        (r"\babout you\b", "about them"),
        (r"\byours\b", "theirs"),
        (r"\byour\b", "their"),
        (r"\byou\b", "they"),
    )
)


@dataclass(frozen=True)
class Ruling:
    """`right`: "request" or "approve". `because`: our own mrkdwn, the rules or the refusal's sentence. `service`: for
    which one, or "every service"; empty where the command names it."""

    right: str
    allowed: bool
    because: str
    service: str = ""


def policy_answer(user_id: str, line: str, rulings: Sequence[Ruling], *, risk: Risk, policy_hash: str) -> Answer:
    """One line a right. `line` is the command as typed."""
    first = f"*<@{user_id}>* and {code(line, limit=200)}"
    lines = [_line(one) for one in rulings]
    notes = (f"at most {NEEDS[risk]}", "who asks never approves alone", f"policy `{policy_hash[:12]}`")
    data = {
        "user": user_id,
        "command": line,
        "risk": risk.value,
        "policy": policy_hash,
        **{_key(one): {"allowed": one.allowed, "because": mrkdwn_text(one.because)} for one in rulings},
    }
    blocks = [section(first), *sections(lines), context(*notes)]
    return Answer(*fit_message(f"{first}: {'; '.join(lines)}", blocks), data, private=True)


def of_them(sentence: str) -> str:
    """A refusal's sentence about "you" as one about somebody else."""
    for said, meant in _OF_THEM:
        sentence = said.sub(meant, sentence)
    return sentence[:1].upper() + sentence[1:]


def _line(one: Ruling) -> str:
    about = f" for {one.service}" if one.service else ""
    return f"{'✅ may' if one.allowed else '🔴 may not'} {one.right}{about}: {one.because}"


def _key(one: Ruling) -> str:
    return one.right if one.service in ("", "every service") else f"{one.right} {one.service}"
