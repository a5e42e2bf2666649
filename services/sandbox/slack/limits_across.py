"""Rules that look at several blocks, or several parts of one block, at once."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from services.sandbox.slack.blocks import INTERACTIVE
from services.sandbox.slack.limits_walk import Json, Violation

MARKDOWN_TOTAL = 12_000
# Undocumented: messages with markdown blocks were refused from about 13,200 characters in all blocks together.
TOTAL_WITH_MARKDOWN = 13_200
TABLE_TOTAL = 10_000  # characters in all cells together
AT_MOST_PER_MESSAGE = {"table": 1, "plan": 1, "data_visualization": 2}
TOO_MANY_CODES = {"table": "only_one_table_allowed"}


def across_blocks(blocks: list[Json]) -> Iterator[Violation]:
    """What is wrong between these blocks."""
    yield from _block_ids(blocks)
    for index, block in enumerate(blocks):
        yield from _action_ids(block, f"/blocks/{index}")
        yield from CHECKS.get(str(block.get("type")), _nothing)(block, f"/blocks/{index}")
    yield from _counts(blocks)
    yield from _totals(blocks)


def _block_ids(blocks: list[Json]) -> Iterator[Violation]:
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        block_id = block.get("block_id")
        if isinstance(block_id, str) and block_id in seen:
            yield Violation(f"/blocks/{index}/block_id", "duplicate_block_id", f"`{block_id}` already exists")
        elif isinstance(block_id, str):
            seen.add(block_id)


def _action_ids(block: Json, path: str) -> Iterator[Violation]:
    counted = Counter(item["action_id"] for item in _interactive(block) if isinstance(item.get("action_id"), str))
    for action_id, count in counted.items():
        if count > 1:
            yield Violation(path, "duplicate_action_id", f"`{action_id}` already exists in this block")


def _interactive(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        if str(value.get("type")) in INTERACTIVE:
            yield value
        for item in value.values():
            yield from _interactive(item)
    elif isinstance(value, list):
        for item in value:
            yield from _interactive(item)


def _counts(blocks: list[Json]) -> Iterator[Violation]:
    counted = Counter(str(block.get("type")) for block in blocks)
    for kind, limit in AT_MOST_PER_MESSAGE.items():
        if counted[kind] > limit:
            yield Violation("/blocks", TOO_MANY_CODES.get(kind, "too_many"), f"no more than {limit} `{kind}` allowed")


def _totals(blocks: list[Json]) -> Iterator[Violation]:
    markdown = sum(len(str(block.get("text", ""))) for block in blocks if block.get("type") == "markdown")
    if markdown > MARKDOWN_TOTAL:
        message = f"all markdown blocks together must be at most {MARKDOWN_TOTAL} characters"
        yield Violation("/blocks", "msg_blocks_too_long", message)
    if markdown and sum(characters(block) for block in blocks) > TOTAL_WITH_MARKDOWN:
        message = f"all blocks together must be at most {TOTAL_WITH_MARKDOWN} characters beside markdown"
        yield Violation("/blocks", "msg_blocks_too_long", message)


def characters(value: Any) -> int:
    """How many characters of text a block holds."""
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(characters(item) for item in value.values())
    return sum(characters(item) for item in value) if isinstance(value, list) else 0


def _table(block: Json, path: str) -> Iterator[Violation]:
    if characters(block.get("rows")) > TABLE_TOTAL:
        yield Violation(f"{path}/rows", "too_long", f"all cells together must be at most {TABLE_TOTAL} characters")


def _data_table(block: Json, path: str) -> Iterator[Violation]:
    yield from _table(block, path)
    rows = [row for row in block.get("rows") or [] if isinstance(row, list)]
    if len({len(row) for row in rows}) > 1:
        yield Violation(f"{path}/rows", "unequal_rows", "every row must have as many cells as the first")
    for index, cell in enumerate(rows[0] if rows else []):
        if isinstance(cell, dict) and cell.get("type") == "rich_text":
            yield Violation(f"{path}/rows/0/{index}/type", "unknown_type", "a header cell cannot be rich_text")


def _input(block: Json, path: str) -> Iterator[Violation]:
    element = block.get("element")
    if not isinstance(element, dict):
        return
    low, high = element.get("min_length"), element.get("max_length")
    if isinstance(low, int) and isinstance(high, int) and low > high:
        yield Violation(f"{path}/element/min_length", "range", "must not be more than max_length")


def _nothing(_block: Json, _path: str) -> Iterator[Violation]:
    return iter(())


CHECKS: dict[str, Callable[[Json, str], Iterator[Violation]]] = {
    "table": _table,
    "data_table": _data_table,
    "input": _input,
}
