"""Which environment's bot a message is from: said in it for people, and in its buttons for the bot that is clicked.

Two bots of one workspace have run numbers of their own, and run 17 of staging is not run 17 of production. Slack gives
a click to the app whose message has the button; two bots that run with the tokens of one app would both be given it.
So each block that can be used names the environment in its `block_id`, which Slack returns with the click.
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
    """`environment`: None where it is not known; then nothing is named. `mark`: before the first words of each message
    ("🟦 staging"); empty: none."""

    environment: str | None = None
    mark: str = ""

    def text(self, text: str) -> str:
        """What notifications show, or the whole message."""
        return f"{self.mark} {text}" if self.mark else text

    def without_mark(self, text: str) -> str:
        """The words of a message of ours, or of another's, which has none."""
        return text.removeprefix(f"{self.mark} ") if self.mark else text

    def blocks(self, blocks: Sequence[Block]) -> list[dict[str, Any]]:
        """With the mark in the first block, and the environment in every block that has no id of its own."""
        named = [self._named(block) for block in blocks]
        return [_marked(named[0], self.mark), *named[1:]] if named and self.mark else named

    def view(self, view: Mapping[str, Any]) -> dict[str, Any]:
        """A modal or a Home tab: its inputs have ids of their own, so its metadata names the environment too."""
        shown = {**view, "blocks": self.blocks(view.get("blocks") or ())}
        metadata = _json(view.get("private_metadata"))
        if self.environment is None or metadata is None:
            return shown
        text = json.dumps({**metadata, ENVIRONMENT_KEY: self.environment})
        return shown | ({"private_metadata": text} if len(text) <= METADATA_LIMIT else {})

    def _named(self, block: Block) -> dict[str, Any]:
        """A new id each time, because Slack wants none again in an edit of the message."""
        if self.environment is None or "block_id" in block:
            return dict(block)
        return {**block, "block_id": f"of.{self.environment}.{secrets.token_hex(4)}"}


def _marked(block: dict[str, Any], mark: str) -> dict[str, Any]:
    """In the block's own words where they have room; a block without words stays as it is: the text has the mark."""
    text = block.get("text")
    limit = HEADER_LIMIT if block.get("type") == "header" else TEXT_LIMIT
    if not isinstance(text, Mapping) or block.get("type") not in ("header", "section"):
        return block
    words = f"{mark} {text['text']}"
    return {**block, "text": {**text, "text": words}} if len(words) <= limit else block


def named_environments(payload: Mapping[str, Any]) -> frozenset[str]:
    """Every environment that a click, a submission or a chosen option names; none for what a former release posted."""
    return frozenset(_found(payload))


def _found(payload: Mapping[str, Any]) -> Iterator[str]:
    view = payload.get("view") or {}
    is_click = payload.get("type") == "block_actions"  # a shortcut is used on messages of others
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
    """None for what is no JSON object; empty for nothing."""
    try:
        found = json.loads(str(text or "{}"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


class _CommandName:
    """Of this process: views name it in many sentences, and it does not change while the process lives."""

    value = COMMAND


def remember_command(name: str) -> None:
    """What people type from now on. A bot that shares its workspace with another has a name of its own."""
    _CommandName.value = name


def slash(line: str = "") -> str:
    """ "/dragonfly health", with the name that this bot's command has."""
    return f"{_CommandName.value} {line}".rstrip()
