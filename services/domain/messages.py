"""Messages in the outbox, the order in which they are sent, and buttons that link from one message to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

PAGE = 10  # a message with this priority or a higher one wakes a person
LINK_TO_MESSAGE = "link_to_message"  # action id of a button whose value is a message's key; Slack gets a link

Blocks = Sequence[Mapping[str, Any]]


class OutboxQueue(StrEnum):
    """Queues that are sent in parallel: a page that Slack has never shown waits only for other pages."""

    PAGES = "pages"
    REST = "rest"


@dataclass(frozen=True)
class UnsentMessage:
    """One message that Slack does not show yet, or not in this version.

    `channel` is an id once Slack accepted it, before that the configured value. `ts` is None until it was posted;
    `posting_since` then shows that a post may have got through. If `is_withdrawn`, nothing else matters. `home` is the
    configured channel. `link_*`: where Slack shows the message to which a button of this one links; None before that
    message was posted, and without such a button.
    """

    key: str
    channel: str
    thread_ts: str | None
    text: str
    blocks: list[dict[str, Any]]
    version: int
    ts: str | None
    posting_since: datetime | None
    attempts: int
    priority: int
    is_withdrawn: bool = False
    home: str = ""
    link_channel_id: str | None = None
    link_ts: str | None = None
    link_thread_ts: str | None = None

    @property
    def is_new_page(self) -> bool:
        """True if it wakes a person and was not posted yet."""
        return self.ts is None and self.priority >= PAGE and not self.is_withdrawn


@dataclass(frozen=True)
class RefusedMessage:
    """One message that left the queue because Slack refused it for good. `error`: the reason, in our words."""

    key: str
    channel: str
    priority: int
    error: str
    refused_at: datetime


def linked_key(blocks: Blocks) -> str | None:
    """The key of the message to which the first button with a link leads (a message links to one place); else None."""
    elements = (element for block in blocks for element in block.get("elements", ()))
    return next((element["value"] for element in elements if _is_link(element)), None)


def with_link(blocks: Blocks, url: str | None) -> list[dict[str, Any]]:
    """The blocks as Slack accepts them: the button opens `url`; without a URL it is left out."""
    linked = [_linked(block, url) for block in blocks]
    return [block for block in linked if block.get("type") != "actions" or block["elements"]]


def message_link(
    workspace_url: str | None, channel_id: str | None, ts: str | None, thread_ts: str | None = None
) -> str | None:
    """The address of a message, which opens Slack's app on a phone; None if a part of it is not known.

    `workspace_url`: "https://acme.slack.com/". `thread_ts`: for a reply, of the message that begins its thread.
    """
    if not workspace_url or not channel_id or not ts:
        return None
    in_thread = f"?thread_ts={thread_ts}&cid={channel_id}" if thread_ts else ""
    return f"{workspace_url.rstrip('/')}/archives/{channel_id}/p{ts.replace('.', '')}{in_thread}"


def _linked(block: Mapping[str, Any], url: str | None) -> dict[str, Any]:
    if block.get("type") != "actions":
        return dict(block)
    shown = [element for element in block["elements"] if url is not None or not _is_link(element)]
    return {**block, "elements": [_as_link(element, url) if _is_link(element) else element for element in shown]}


def _as_link(element: Mapping[str, Any], url: str | None) -> dict[str, Any]:
    return {name: value for name, value in element.items() if name != "value"} | {"url": url}


def _is_link(element: Mapping[str, Any]) -> bool:
    return element.get("action_id") == LINK_TO_MESSAGE
