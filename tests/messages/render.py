"""Messages, dialogs and answers as plain text, and golden files that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bot.types import Answer
from bot.views.terminal import block_text, mrkdwn_text

FOLDER = Path(__file__).parent / "golden"
Block = Mapping[str, Any]


def message_text(text: str, blocks: Iterable[Block]) -> str:
    """The notification, then what stands in Slack."""
    return "\n".join([f"(notification) {mrkdwn_text(text)}", *blocks_text(blocks)])


def answer_text(answer: Answer) -> str:
    """An answer: who sees it, then as a message."""
    return f"({'only you' if answer.private else 'everyone'}, {answer.status.value})\n" + message_text(
        answer.text, answer.blocks
    )


def dialog_text(view: Block) -> str:
    """A dialog with its title, its inputs and its two buttons."""
    buttons = " ".join(f"[{view[name]['text']}]" for name in ("submit", "close") if name in view)
    return "\n".join([f"(dialog) {view['title']['text']}", *blocks_text(view["blocks"]), buttons])


def blocks_text(blocks: Iterable[Block]) -> list[str]:
    """One text per block."""
    return [_block(block) for block in blocks]


def _block(block: Block) -> str:
    match block["type"]:
        case "actions":
            return "\n".join(_element(element) for element in block["elements"])
        case "input":
            hint = f" ({block['hint']['text']})" if "hint" in block else ""
            return f"{block['label']['text']}{hint}\n{_element(block['element'])}".rstrip()
        case "section" if "accessory" in block:
            words = block_text({name: value for name, value in block.items() if name != "accessory"})
            return f"{words}\n{_element(block['accessory'])}"
        case _:
            return block_text(dict(block))


def _element(element: Block) -> str:
    if "options" in element:
        return "\n".join(f"  ( ) {_option(option)}" for option in element["options"])
    if element["type"] != "button":
        return ""
    target = element.get("url") or element.get("value", "")
    return f"  [{element['text']['text']}] {target}{_question(element)}".rstrip()


def _option(option: Block) -> str:
    described = f": {option['description']['text']}" if "description" in option else ""
    return f"{option['text']['text']}{described}"


def _question(element: Block) -> str:
    """Slack's question before it passes the click on."""
    if "confirm" not in element:
        return ""
    asked = element["confirm"]
    words = " / ".join(asked[name]["text"] for name in ("title", "text", "confirm", "deny"))
    return f"\n    asks: {mrkdwn_text(words)}"


def golden_text(texts: Mapping[str, str]) -> str:
    """All of one kind, as its file holds them."""
    return "\n\n".join(f"## {name}\n\n{text.strip()}" for name, text in texts.items()) + "\n"
