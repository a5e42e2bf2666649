"""What the policy says of one person and one change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.commands._contract import Answer
from bot.views.blocks import context, section, sections
from bot.views.message import fit_message
from bot.views.plain import mrkdwn_text
from bot.views.plan import NEEDS
from bot.views.text import code
from playbooks._contract import Risk


@dataclass(frozen=True)
class Ruling:
    """`right`: "request" or "approve". `because`: our own mrkdwn, the rules or the refusal's sentence."""

    right: str
    allowed: bool
    because: str


def policy_answer(user_id: str, line: str, rulings: Sequence[Ruling], *, risk: Risk, policy_hash: str) -> Answer:
    """One line a right. `line` is the command as typed."""
    first = f"*<@{user_id}>* and {code(line, limit=200)}"
    lines = [f"{'✅ may' if one.allowed else '🔴 may not'} {one.right}: {one.because}" for one in rulings]
    notes = (f"at most {NEEDS[risk]}", "who asks never approves alone", f"policy `{policy_hash[:12]}`")
    data = {
        "user": user_id,
        "command": line,
        "risk": risk.value,
        "policy": policy_hash,
        **{one.right: {"allowed": one.allowed, "because": mrkdwn_text(one.because)} for one in rulings},
    }
    blocks = [section(first), *sections(lines), context(*notes)]
    return Answer(*fit_message(f"{first}: {'; '.join(lines)}", blocks), data, private=True)
