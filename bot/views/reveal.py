"""A masked line made whole for one person, and the buttons that ask for it."""

from __future__ import annotations

from collections.abc import Sequence

from bot.commands._contract import Answer, Block
from bot.views.blocks import PREFORMATTED_LIMIT, actions, command_button, command_select, context, preformatted, section
from bot.views.message import fit_message
from bot.views.text import cut, plain
from services.domain.secret_shapes import hide_secrets
from services.domain.services import Service

LABEL = "Show the whole line"
MOST = 20  # lines offered below one answer, the newest
NOTE = "Only you see this, and the audit log says that you did. Secrets stay hidden; Railway has the whole log."


def reveal_answer(text: str, *, source: str, service: Service | None) -> Answer:
    """The line in a box in which Slack parses nothing; its own line breaks stay."""
    lines = [plain(line, limit=PREFORMATTED_LIMIT) for line in hide_secrets(text).splitlines()]
    where = f"log of {service.short}" if service else "failed job"
    headline = f"*The whole {'error' if source == 'job' else 'line'}* · {where}"
    blocks = [section(headline), preformatted(cut("\n".join(lines), PREFORMATTED_LIMIT)), context(NOTE)]
    return Answer(*fit_message(headline, blocks), {"source": source}, private=True)


def reveal_buttons(items: Sequence[tuple[str, str]], *, until: int) -> list[Block]:
    """`items`: (what the line looks like, the words after `reveal` without the moment), the newest first.

    `until`: Unix time at which the buttons expire.
    """
    offered = [(label, f"reveal {words} {until}") for label, words in items[:MOST]]
    if not offered:
        return []
    if len(offered) == 1:
        return actions([command_button(LABEL, offered[0][1])])
    return actions([command_select(f"{LABEL}…", offered)])
