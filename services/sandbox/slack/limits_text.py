"""Finds what would page everybody: broadcasts and user-group mentions in text that Slack parses."""

import re
from collections.abc import Collection, Iterator
from typing import Any

from services.sandbox.slack.limits_walk import Json, Violation

BROADCAST = re.compile(r"<!(?:channel|here|everyone|subteam\^\w+)(?:\|[^>]*)?>")
# Keys whose plain string Slack parses wherever they stand; a text object counts only when it is mrkdwn.
PARSED_TOP = ("text", "markdown_text", "initial_comment")
PARSED_IN_ATTACHMENT = ("text", "pretext", "fallback")


def broadcasts(payload: Json, groups: Collection[str] = ()) -> Iterator[Violation]:
    """A violation `broadcast` for each place; text that Slack shows literally (plain_text, rich_text) is safe.

    `groups`: ids of user groups that may be mentioned.
    """
    allowed = {_violation("", f"<!subteam^{group}>").message for group in groups}
    return (violation for violation in _all_broadcasts(payload) if violation.message not in allowed)


def _all_broadcasts(payload: Json) -> Iterator[Violation]:
    yield from _strings(payload, PARSED_TOP, "")
    for index, attachment in enumerate(payload.get("attachments") or []):
        yield from _strings(attachment, PARSED_IN_ATTACHMENT, f"/attachments/{index}")
        yield from _in_blocks(attachment.get("blocks"), f"/attachments/{index}/blocks")
    yield from _in_blocks(payload.get("blocks"), "/blocks")


def _strings(holder: Json, keys: tuple[str, ...], path: str) -> Iterator[Violation]:
    for key in keys:
        for found in BROADCAST.finditer(holder[key]) if isinstance(holder.get(key), str) else ():
            yield _violation(f"{path}/{key}", found[0])


def _in_blocks(value: Any, path: str) -> Iterator[Violation]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _in_blocks(item, f"{path}/{index}")
    elif isinstance(value, dict):
        match value.get("type"):
            case "mrkdwn" | "markdown":
                yield from _strings(value, ("text",), path)
            case "broadcast" | "usergroup":
                yield _violation(path, str(value.get("range") or value.get("usergroup_id")))
            case _:
                for key, item in value.items():
                    yield from _in_blocks(item, f"{path}/{key}")


def _violation(path: str, what: str) -> Violation:
    return Violation(path, "broadcast", f"notifies many people: {what}")
