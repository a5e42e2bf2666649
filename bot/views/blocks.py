"""Block Kit elements within Slack's limits, aligned columns, timestamps, and `fit_message` for a whole message.

Arguments named `mrkdwn` are our own markup, in which untrusted text has passed `text.escape`; arguments named `text`
may be anything. No block has a `block_id`: Slack makes new ones for each update, as it requires.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from bot.types import Block
from bot.views.text import (
    BUTTON_LIMIT,
    SECTION_LIMIT,
    button_text,
    cut,
    cut_mrkdwn,
    escape,
    label_text,
    plain,
    with_short_ids,
)
from services.domain.messages import LINK_TO_MESSAGE
from services.domain.text import age, counted

COMMAND_ACTION = "command.run"  # "command.run.<n>": the value is the command line
LINK_ACTION = "link"  # "link.<n>": Slack reports clicks on links too

HEADER_LIMIT = 150
VALUE_LIMIT = 2000
URL_LIMIT = 3000
MAX_BUTTONS = 25
MENU_VALUE_LIMIT, MAX_MENU, MAX_OPTIONS = 150, 5, 100
MAX_CONTEXT = 10
MAX_FIELDS, FIELD_LIMIT = 10, 2000
MAX_ROWS, MAX_CELLS = 100, 20
CELL_LIMIT = 200  # our limit: a table must be readable at a glance
TABLE_LIMIT = 7000  # our limit: characters of one table, far below msg_blocks_too_long
PREFORMATTED_LIMIT = 9000  # our limit, for the same reason
EMPTY = "—"  # Slack refuses empty text


def header(text: str) -> Block:
    """A heading in plain text."""
    return {"type": "header", "text": {"type": "plain_text", "text": label_text(text, limit=HEADER_LIMIT) or EMPTY}}


def section(mrkdwn: str, *, accessory: Block | None = None) -> Block:
    """One paragraph, cut to 3,000 characters. `accessory`: a button to its right."""
    block: Block = {"type": "section", "text": _mrkdwn(mrkdwn, SECTION_LIMIT)}
    return block if accessory is None else block | {"accessory": accessory}


def sections(lines: Iterable[str]) -> list[Block]:
    """Lines of mrkdwn in as few sections as possible, never broken within a line."""
    paragraphs: list[str] = []
    for line in lines:
        piece = cut_mrkdwn(line, SECTION_LIMIT)
        if paragraphs and len(paragraphs[-1]) + 1 + len(piece) <= SECTION_LIMIT:
            paragraphs[-1] += f"\n{piece}"
        else:
            paragraphs.append(piece)
    return [section(paragraph) for paragraph in paragraphs]


def fields(pairs: Sequence[tuple[str, str]]) -> list[Block]:
    """(name, mrkdwn value) pairs, side by side on a wide screen, 10 per section."""
    cells = [_mrkdwn(f"*{escape(name, limit=100)}*\n{mrkdwn or EMPTY}", FIELD_LIMIT) for name, mrkdwn in pairs]
    chunks = [cells[start : start + MAX_FIELDS] for start in range(0, len(cells), MAX_FIELDS)]
    return [{"type": "section", "fields": chunk} for chunk in chunks]


def context(*mrkdwn: str) -> Block:
    """Small gray notes; from the 10th on they share one element."""
    notes = list(mrkdwn) or [EMPTY]
    if len(notes) > MAX_CONTEXT:
        notes = [*notes[: MAX_CONTEXT - 1], " · ".join(notes[MAX_CONTEXT - 1 :])]
    return {"type": "context", "elements": [_mrkdwn(note, SECTION_LIMIT) for note in notes]}


def preformatted(text: str) -> Block:
    """Fixed-width text that Slack does not parse, for untrusted but cleaned lines."""
    shown = {"type": "text", "text": text if text.strip() else EMPTY}
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [shown]}]}


def command_button(label: str, command: str, n: int = 0, *, style: str | None = None) -> Block:
    """A button that runs a command line ("logs ingest"); `fit_message` renumbers the buttons of a message.

    Raises ValueError for a line that is too long for a button, because a cut command is another command.
    """
    if not 0 < len(command) <= VALUE_LIMIT:
        raise ValueError(f"a button carries 1 to {VALUE_LIMIT} characters, this command has {len(command)}")
    button: Block = _button(label, f"{COMMAND_ACTION}.{n}") | {"value": command}
    return button if style is None else button | {"style": style}


def command_menu(items: Sequence[tuple[str, str]], n: int = 0) -> Block:
    """An overflow menu whose items run command lines: (label, command) pairs, at most 5.

    Raises ValueError for a line that is too long for an item.
    """
    return {"type": "overflow", "action_id": f"{COMMAND_ACTION}.{n}", "options": _options(items[:MAX_MENU])}


def command_select(placeholder: str, items: Sequence[tuple[str, str]], n: int = 0) -> Block:
    """A menu with a placeholder, whose items run command lines: (label, command) pairs, at most 100."""
    return {
        "type": "static_select",
        "action_id": f"{COMMAND_ACTION}.{n}",
        "placeholder": {"type": "plain_text", "text": label_text(placeholder, limit=BUTTON_LIMIT)},
        "options": _options(items[:MAX_OPTIONS]),
    }


def action_button(label: str, action_id: str, value: str) -> Block:
    """A button with its own handler. `value`: a number that the handler looks up."""
    return _button(label, action_id) | {"value": value}


def link_button(label: str, url: str, n: int = 0) -> Block:
    """A button that opens a web page. Raises ValueError if the URL is no web address (`is_web_address`)."""
    if not is_web_address(url):
        raise ValueError("a link button needs an http(s) address of at most 3,000 characters")
    return _button(label, f"{LINK_ACTION}.{n}") | {"url": url}


def message_button(label: str, key: str) -> Block:
    """A button that opens another message of the outbox, named by its key; at most one per message.

    The outbox turns it into a link when it sends the message, and removes it while the other message is not posted.
    """
    return _button(label, LINK_TO_MESSAGE) | {"value": key}


def is_web_address(url: str | None) -> bool:
    """True if Slack accepts it as a button's `url`."""
    if not url or len(url) > URL_LIMIT or " " in url or url != plain(url, limit=URL_LIMIT):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def actions(buttons: Sequence[Block]) -> list[Block]:
    """Rows of at most 25 buttons; empty without buttons."""
    rows = [buttons[start : start + MAX_BUTTONS] for start in range(0, len(buttons), MAX_BUTTONS)]
    return [{"type": "actions", "elements": list(row)} for row in rows]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Block]:
    """A table of raw text, which Slack does not parse, and a note if rows were left out.

    At most 99 rows below the heading, 20 columns, `CELL_LIMIT` characters per cell and `TABLE_LIMIT` in all. A message
    may have only one table: `fit_message` turns others into preformatted text.
    """
    lines, size = [_row(columns)], sum(map(len, columns))
    for row in rows[: MAX_ROWS - 1]:
        line = _row(row)
        size += sum(len(cell["text"]) for cell in line)
        if size > TABLE_LIMIT:
            break
        lines.append(line)
    left_out = len(rows) - (len(lines) - 1)
    note = [context(f"… {counted(left_out, 'more row')}")] if left_out else []
    return [{"type": "table", "rows": lines}, *note]


def _row(cells: Sequence[str]) -> list[Block]:
    return [{"type": "raw_text", "text": plain(cell, limit=CELL_LIMIT) or EMPTY} for cell in cells[:MAX_CELLS]]


def _options(items: Sequence[tuple[str, str]]) -> list[Block]:
    for _, command in items:
        if not 0 < len(command) <= MENU_VALUE_LIMIT:
            raise ValueError(f"an item carries 1 to {MENU_VALUE_LIMIT} characters, this command has {len(command)}")
    return [
        {"text": {"type": "plain_text", "text": label_text(words, limit=BUTTON_LIMIT) or EMPTY}, "value": command}
        for words, command in items
    ]


def _button(words: str, action_id: str) -> Block:
    text = {"type": "plain_text", "text": button_text(words) or EMPTY, "emoji": False}
    return {"type": "button", "action_id": action_id, "text": text}


def _mrkdwn(mrkdwn: str, limit: int) -> Block:
    """A mrkdwn text. `verbatim` keeps Slack from making links and mentions of words such as @here or host names."""
    text = cut_mrkdwn(mrkdwn, limit) if mrkdwn.strip() else EMPTY
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def align(rows: Sequence[Sequence[str]]) -> str:
    """One line per row; columns as wide as their widest cell, two spaces apart, no trailing spaces."""
    columns = max((len(row) for row in rows), default=0)
    widths = [max((width(row[n]) for row in rows if n < len(row)), default=0) for n in range(columns)]
    return "\n".join("  ".join(_padded(cell, widths[n]) for n, cell in enumerate(row)).rstrip() for row in rows)


def without_equal(
    columns: Sequence[str], rows: Sequence[Sequence[str]], droppable: Collection[str]
) -> tuple[list[str], list[list[str]]]:
    """Remove `droppable` columns in which all rows are equal, because a phone shows only 2 or 3 columns."""
    kept = [n for n, name in enumerate(columns) if name not in droppable or len({row[n] for row in rows}) > 1]
    return [columns[n] for n in kept], [[row[n] for n in kept] for row in rows]


def width(text: str) -> int:
    """Width of the text on a terminal, in cells: 2 for wide characters, 0 for combining ones."""
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _padded(cell: str, wanted: int) -> str:
    return cell + " " * (wanted - width(cell))


def since(moment: datetime, as_of: datetime | None) -> str:
    """Age of the moment by the clock that wrote it (`as_of`); the moment itself if that clock is unknown."""
    return age(as_of - moment) if as_of else clock(moment)


def clock(moment: datetime) -> str:
    """ "23 Nov 17:59" in UTC, short for a table, whose heading or note names the zone."""
    return moment.astimezone(UTC).strftime("%d %b %H:%M")


def clock_seconds(moment: datetime) -> str:
    """ "17:59:05" in UTC, for the lines of a log."""
    return moment.astimezone(UTC).strftime("%H:%M:%S")


MAX_BLOCKS = 50
TEXT_LIMIT = 3900  # chat.update refuses more than 4,000
TOTAL_LIMIT = 12_000  # characters of all blocks; msg_blocks_too_long occurred from about 13,200


def fit_message(text: str, blocks: Sequence[Block]) -> tuple[str, list[Block]]:
    """Cut text and blocks to Slack's limits: `Answer(*fit_message(text, blocks), data=…)`.

    Blocks that do not fit are dropped from the end, with a note. Buttons get numbers that are unique in the message. A
    second table becomes preformatted text.
    """
    kept = _within_total(_one_table(blocks))
    left_out = len(blocks) - len(kept)
    if left_out:
        kept.append(context(f"… {left_out} more left out: Slack's messages are limited"))
    return cut_mrkdwn(text, TEXT_LIMIT) if text.strip() else EMPTY, _numbered(kept)


def shorten_ids(blocks: Sequence[Block]) -> list[Block]:
    """Shorten ids in texts for public messages; *Details* shows them whole. Values of buttons stay whole."""
    return [_shortened(block) for block in blocks]


def _shortened(part: Any) -> Any:
    if isinstance(part, list):
        return [_shortened(one) for one in part]
    if not isinstance(part, dict):
        return part
    texts = {"text": with_short_ids(part["text"])} if isinstance(part.get("text"), str) else {}
    return {name: _shortened(value) for name, value in part.items()} | texts


def characters(value: object) -> int:
    """Number of characters of all strings in a block except keys and types, as `TOTAL_LIMIT` counts."""
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
