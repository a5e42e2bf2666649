"""Renders an answer as text for the terminal: the blocks for Slack, without their markup."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from bot.types import Answer, Block
from bot.views.blocks import COMMAND_ACTION, align
from bot.views.text import clean, without_look_alikes

_DATE = re.compile(r"<!date\^[^|>]*\|([^>]*)>")
_LINK = re.compile(r"<([^|>]*)\|([^>]*)>")
_BARE_LINK = re.compile(r"<((?:https?|mailto):[^>]*)>")
_MENTION = re.compile(r"<(?:@|!subteam\^)([A-Z0-9]+)>")
_MENTIONED = re.compile(r"@([A-Z0-9]+)\b")
_BARE_ID = re.compile(r"(?<![\w@<^-])(?=[A-Z]*\d)[USW][A-Z0-9]{8,}(?![\w-])")  # in text: "locked by U0BEN000001"
_CODE_OR_BOLD = re.compile(r"`(?P<code>[^`\n]*)`|(?<!\w)\*(?P<bold>[^*\n]+)\*(?!\w)")


def answer_text(answer: Answer, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """The answer's blocks as text; its fallback text if it has no blocks, its file if it has one.

    Contains no terminal escapes. `names`: `{Slack id: name}`; other people are shown by id.
    """
    if answer.file is not None:
        return clean(answer.file.text)
    paragraphs = [block_text(block) for block in answer.blocks]
    text = clean("\n".join(filter(None, paragraphs)) or mrkdwn_text(answer.text))
    text = _MENTIONED.sub(lambda mention: f"@{names.get(mention[1], mention[1])}", text)
    return _BARE_ID.sub(lambda found: names.get(found[0], found[0]), text)


def ids_in(mrkdwn: str) -> list[str]:
    """Slack ids of the people and groups that the text mentions."""
    return _MENTION.findall(mrkdwn)


def mentioned_ids(answer: Answer) -> set[str]:
    """Slack ids of the people and groups that the answer's blocks mention or name."""
    blocks = json.dumps(answer.blocks)
    return {found[1] for found in _MENTION.finditer(blocks)} | {found[0] for found in _BARE_ID.finditer(blocks)}


def no_name(slack_id: str) -> str:  # noqa: ARG001
    """Default for `name_of`: no name is known."""
    return ""


def mrkdwn_text(mrkdwn: str, name_of: Callable[[str], str] = no_name) -> str:
    """Mrkdwn as plain text: dates and links in words, without asterisks and entities.

    `name_of`: name by Slack id, "" if unknown; then the id is shown.
    """
    text = _MENTION.sub(lambda one: f"@{(name_of(one[1]) or one[1]).removeprefix('@')}", _DATE.sub(r"\1", mrkdwn))
    text = _LINK.sub(lambda link: f"{link[2]} ({link[1]})", text)
    text = _BARE_LINK.sub(r"\1", text)
    text = _CODE_OR_BOLD.sub(lambda span: span[str(span.lastgroup)], text)
    return without_look_alikes(html.unescape(text.replace("`", "")))


def block_text(block: Block) -> str:
    """One block as plain text; a button as the command to type instead."""
    match block["type"]:
        case "header":
            return f"\n{without_look_alikes(block['text']['text'])}"
        case "section":
            return _section(block)
        case "context":
            notes = [mrkdwn_text(element["text"]) for element in block["elements"] if "text" in element]
            return "\n".join(f"  {line}" for note in notes for line in note.split("\n"))
        case "actions":
            return "\n".join(filter(None, map(_button, block["elements"])))
        case "table":
            return align([[_cell(cell) for cell in row] for row in block["rows"]])
        case "rich_text":
            return "".join(_rich(element) for element in block["elements"])
        case _:
            return ""


def _section(block: Block) -> str:
    texts = [block["text"], *block.get("fields", ())] if "text" in block else list(block.get("fields", ()))
    lines = [mrkdwn_text(text["text"]) for text in texts]
    button = _button(block["accessory"]) if "accessory" in block else ""
    return "\n".join([*lines, *filter(None, [button])])


def _button(element: Block) -> str:
    if element.get("type") == "overflow":
        return "\n".join(_button(option | {"action_id": element["action_id"]}) for option in element["options"])
    if element.get("type") == "static_select":
        return ""  # a terminal has other commands for its items
    label = without_look_alikes(element.get("text", {}).get("text", ""))
    target = element.get("url") or _command(element)
    return f"    → {label}: {target}" if target else ""


def _command(element: Block) -> str:
    """The command to type instead of a button; empty for buttons that decide or open a modal."""
    is_command = str(element.get("action_id", "")).startswith(COMMAND_ACTION)
    return f"dragonfly {element['value']}" if is_command else ""


def _cell(cell: Block) -> str:
    return str(cell["text"]) if "text" in cell else _rich(cell)


def _rich(element: Block) -> str:
    """The text of a rich text element and its children."""
    inner: Sequence[Block] = element.get("elements", ())
    return str(element.get("text", "")) + "".join(map(_rich, inner))
