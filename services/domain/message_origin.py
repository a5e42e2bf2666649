"""The environment whose bot sent a message: shown in it for people, and stored in its buttons for the clicked bot.

Two bots of one workspace have their own run numbers, and run 17 of staging is not run 17 of production. Slack sends a
click to the app whose message has the button; two bots that run with the tokens of one app would both receive it. So
each interactive block names the environment in its `block_id`, which Slack returns with the click.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Block = Mapping[str, Any]

COMMAND = "/dragonfly"
COMMAND_NAME = re.compile(r"/[a-z0-9_-]{1,31}\Z")  # Slack: 32 characters with the slash, lowercase
ENVIRONMENT_KEY = "environment"  # in a view's private_metadata
METADATA_LIMIT = 3000  # Slack's, of private_metadata
TEXT_LIMIT = 3000
HEADER_LIMIT = 150
_ID = re.compile(r"of\.([a-z0-9-]{1,40})\.[0-9a-f]{8}\Z")


@dataclass(frozen=True)
class MessageOrigin:
    """The bot's environment as its messages show it. `environment`: None if it is not known; then nothing is named.
    `mark`: the text before the first words of each message ("🟦 staging"); empty for none."""

    environment: str | None = None
    mark: str = ""

    def text(self, text: str) -> str:
        """The text with the mark: the notification's text, or the whole message."""
        return f"{self.mark} {text}" if self.mark else text

    def without_mark(self, text: str) -> str:
        """The text of a message without the mark; unchanged if it has none."""
        return text.removeprefix(f"{self.mark} ") if self.mark else text

    def blocks(self, blocks: Sequence[Block]) -> list[dict[str, Any]]:
        """The blocks with the mark in the first one, and the environment in every block without an id of its own."""
        named = [self._named(block) for block in blocks]
        return [_marked(named[0], self.mark), *named[1:]] if named and self.mark else named

    def view(self, view: Mapping[str, Any]) -> dict[str, Any]:
        """A modal or a Home tab with its environment. Its inputs have ids of their own, so its metadata names the
        environment too."""
        shown = {**view, "blocks": self.blocks(view.get("blocks") or ())}
        metadata = _json(view.get("private_metadata"))
        if self.environment is None or metadata is None:
            return shown
        text = json.dumps({**metadata, ENVIRONMENT_KEY: self.environment})
        return shown | ({"private_metadata": text} if len(text) <= METADATA_LIMIT else {})

    def _named(self, block: Block) -> dict[str, Any]:
        """The block with a new id each time, because Slack wants different ids when a message is edited."""
        if self.environment is None or "block_id" in block:
            return dict(block)
        return {**block, "block_id": f"of.{self.environment}.{secrets.token_hex(4)}"}


def _marked(block: dict[str, Any], mark: str) -> dict[str, Any]:
    """Put the mark before the block's words if they have room; a block without words stays: the text has the mark."""
    text = block.get("text")
    limit = HEADER_LIMIT if block.get("type") == "header" else TEXT_LIMIT
    if not isinstance(text, Mapping) or block.get("type") not in ("header", "section"):
        return block
    words = f"{mark} {text['text']}"
    return {**block, "text": {**text, "text": words}} if len(words) <= limit else block


def named_environments(payload: Mapping[str, Any]) -> frozenset[str]:
    """Every environment that a click, a submission or a chosen option names; empty for messages of a former release."""
    return frozenset(_found(payload))


def _found(payload: Mapping[str, Any]) -> Iterator[str]:
    view = payload.get("view") or {}
    is_click = payload.get("type") == "block_actions"  # a shortcut may be used on other people's messages
    message = (payload.get("message") or {}) if is_click else {}
    used = [*(payload.get("actions") or ()), *(view.get("blocks") or ()), *(message.get("blocks") or ())]
    for one in used:
        match = _ID.match(str(one.get("block_id", ""))) if isinstance(one, Mapping) else None
        if match:
            yield match[1]
    metadata = _json(view.get("private_metadata")) or {}
    if isinstance(metadata.get(ENVIRONMENT_KEY), str):
        yield metadata[ENVIRONMENT_KEY]


def _json(text: object) -> dict[str, Any] | None:
    """The parsed JSON object; None for anything else; an empty object for no text."""
    try:
        found = json.loads(str(text or "{}"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


class _CommandName:
    """The slash command's name, one per process: views use it in many sentences, and it does not change."""

    value = COMMAND


def remember_command(name: str) -> None:
    """Set the name of the slash command. A bot that shares its workspace with another bot has its own name."""
    _CommandName.value = name


def slash(line: str = "") -> str:
    """ "/dragonfly health", with the name of this bot's command."""
    return f"{_CommandName.value} {line}".rstrip()
