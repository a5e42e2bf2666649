"""A whole message within Slack's limits: the last step before an answer leaves a view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from bot.types import Block
from bot.views.blocks import COMMAND_ACTION, EMPTY, LINK_ACTION, PREFORMATTED_LIMIT, align, context, preformatted
from bot.views.text import cut, cut_mrkdwn, with_short_ids

MAX_BLOCKS = 50
TEXT_LIMIT = 3900  # chat.update refuses more than 4,000
TOTAL_LIMIT = 12_000  # characters of everything; msg_blocks_too_long was seen from about 13,200


def fit_message(text: str, blocks: Sequence[Block]) -> tuple[str, list[Block]]:
    """Text and blocks that Slack takes: `Answer(*fit_message(text, blocks), data=…)`.

    Blocks that do not fit are left out from the end, and counted. Buttons get numbers that are unique in the message.
    A second table becomes preformatted text.
    """
    kept = _within_total(_one_table(blocks))
    left_out = len(blocks) - len(kept)
    if left_out:
        kept.append(context(f"… {left_out} more left out: Slack's messages are limited"))
    return cut_mrkdwn(text, TEXT_LIMIT) if text.strip() else EMPTY, _numbered(kept)


def shorten_ids(blocks: Sequence[Block]) -> list[Block]:
    """The same blocks for many readers: whole ids are for *Details*. What buttons carry stays whole."""
    return [_shortened(block) for block in blocks]


def _shortened(part: Any) -> Any:
    if isinstance(part, list):
        return [_shortened(one) for one in part]
    if not isinstance(part, dict):
        return part
    texts = {"text": with_short_ids(part["text"])} if isinstance(part.get("text"), str) else {}
    return {name: _shortened(value) for name, value in part.items()} | texts


def characters(value: object) -> int:
    """All characters of all strings in a block but its keys and types: the measure for `TOTAL_LIMIT`."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(characters(item) for key, item in value.items() if key != "type")
    if isinstance(value, list | tuple):
        return sum(characters(item) for item in value)
    return 0


def _within_total(blocks: Sequence[Block]) -> list[Block]:
    room = TOTAL_LIMIT - 100  # for the note
    kept: list[Block] = []
    for block in blocks:
        room -= characters(block)
        if room < 0 or len(kept) == MAX_BLOCKS - 1:
            break
        kept.append(block)
    return list(blocks) if len(kept) == len(blocks) - 1 and len(blocks) == MAX_BLOCKS and room >= 0 else kept


def _one_table(blocks: Sequence[Block]) -> list[Block]:
    seen, result = False, []
    for block in blocks:
        is_table = block["type"] == "table"
        result.append(_as_text(block) if is_table and seen else block)
        seen = seen or is_table
    return result


def _as_text(table: Block) -> Block:
    rows = [[cell["text"] for cell in row] for row in table["rows"]]
    return preformatted(cut(align(rows), PREFORMATTED_LIMIT))


def _numbered(blocks: Sequence[Block]) -> list[Block]:
    numbers = count()
    return [_renumber(block, numbers) for block in blocks]


def _renumber(block: Block, numbers: Iterator[int]) -> Block:
    if block["type"] == "actions":
        return block | {"elements": [_with_number(element, numbers) for element in block["elements"]]}
    if "accessory" in block:
        return block | {"accessory": _with_number(block["accessory"], numbers)}
    return block


def _with_number(element: Block, numbers: Iterator[int]) -> Block:
    for prefix in (COMMAND_ACTION, LINK_ACTION):
        if str(element.get("action_id", "")).startswith(f"{prefix}."):
            return element | {"action_id": f"{prefix}.{next(numbers)}"}
    return element
