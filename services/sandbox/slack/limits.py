"""What real Slack would refuse in a message, a modal or a Home tab."""

import json
from collections.abc import Collection, Iterator
from itertools import chain

from services.sandbox.slack.limits_across import across_blocks
from services.sandbox.slack.limits_schema import BLOCKS, BLOCKS_PER_SURFACE, SURFACES, VIEWS, Obj
from services.sandbox.slack.limits_text import broadcasts
from services.sandbox.slack.limits_walk import Json, Surface, Violation, check, check_object

__all__ = ["Surface", "Violation", "violations"]

TEXT_LIMIT = 40_000  # what is longer is cut by Slack, silently
UPDATE_TEXT_LIMIT = 4_000  # chat.update refuses what chat.postMessage takes
MARKDOWN_TEXT_LIMIT = 12_000
ATTACHMENTS_LIMIT = 100
VIEW_SIZE_LIMIT = 250_000  # bytes


def violations(payload: Json, *, surface: Surface, method: str = "", groups: Collection[str] = ()) -> list[Violation]:
    """Every broken rule, in the order of the payload; empty when Slack would take it as it is.

    payload: the arguments of a chat method or a response URL, or the `view` itself for a modal or a Home tab.
    method: lets rules count that hold for one method only, such as `chat.update`.
    groups: ids of user groups that may be mentioned, as Slack lets apps do unless an admin forbids it.
    """
    loud = broadcasts(payload, groups)
    if surface == "message":
        return [*_message(payload, method), *_blocks(payload.get("blocks"), surface), *loud]
    return [*_view(payload, surface), *_blocks(payload.get("blocks", []), surface), *loud]


def _message(payload: Json, method: str) -> Iterator[Violation]:
    text, markdown = payload.get("text") or "", payload.get("markdown_text") or ""
    limit = UPDATE_TEXT_LIMIT if method == "chat.update" else TEXT_LIMIT
    if len(text) > limit:
        rule = "msg_too_long" if method == "chat.update" else "truncated"
        yield Violation("/text", rule, f"must be at most {limit} characters, is {len(text)}")
    if len(markdown) > MARKDOWN_TEXT_LIMIT:
        yield Violation("/markdown_text", "msg_too_long", f"must be at most {MARKDOWN_TEXT_LIMIT} characters")
    if markdown and (text or payload.get("blocks")):
        yield Violation("/markdown_text", "markdown_text_conflict", "cannot stand beside text or blocks")
    if payload.get("blocks") and not text and method.startswith(("chat.", "response_url")):
        yield Violation("/text", "fallback_text", "blocks need a text beside them for notifications and screen readers")
    yield from _message_parts(payload)


def _message_parts(payload: Json) -> Iterator[Violation]:
    if payload.get("metadata"):
        for found in check(Obj("metadata"), payload["metadata"], "/metadata"):
            yield Violation(found.path, "metadata", found.message)
    attachments = payload.get("attachments") or []
    if len(attachments) > ATTACHMENTS_LIMIT:
        yield Violation("/attachments", "too_many", f"no more than {ATTACHMENTS_LIMIT} items allowed")
    for index, attachment in enumerate(attachments):
        for found in _blocks(attachment.get("blocks"), "message"):
            yield Violation(f"/attachments/{index}{found.path}", found.rule, found.message)


def _view(view: Json, surface: Surface) -> Iterator[Violation]:
    if view.get("type") != surface:
        yield Violation("/type", "unknown_type", f"must be `{surface}`")
        return
    yield from check_object(VIEWS[surface], view, "")
    if len(json.dumps(view).encode()) > VIEW_SIZE_LIMIT:
        yield Violation("", "view_too_large", f"must be at most {VIEW_SIZE_LIMIT} bytes")
    has_input = any(isinstance(block, dict) and block.get("type") == "input" for block in view.get("blocks") or [])
    if surface == "modal" and has_input and not view.get("submit"):
        yield Violation("/submit", "required", "a modal with an input block needs a submit button")


def _blocks(blocks: object, surface: Surface) -> Iterator[Violation]:
    if blocks is None:
        return
    if not isinstance(blocks, list):
        yield Violation("/blocks", "wrong_type", "must be a list")
        return
    limit = BLOCKS_PER_SURFACE[surface]
    if len(blocks) > limit:
        rule = "msg_blocks_too_many" if surface == "message" else "too_many"
        yield Violation("/blocks", rule, f"no more than {limit} items allowed, there are {len(blocks)}")
    checked = (_block(block, f"/blocks/{index}", surface) for index, block in enumerate(blocks))
    yield from chain.from_iterable(checked)
    yield from across_blocks([block for block in blocks if isinstance(block, dict)])


def _block(block: object, path: str, surface: Surface) -> Iterator[Violation]:
    if not isinstance(block, dict):
        yield Violation(path, "wrong_type", "must be an object")
        return
    kind = str(block.get("type"))
    shape = BLOCKS.get(kind)
    if shape is None:
        yield Violation(f"{path}/type", "unknown_type", f"unsupported block type: {kind}")
        return
    if surface not in SURFACES.get(kind, BLOCKS_PER_SURFACE):
        yield Violation(f"{path}/type", "not_allowed_here", f"`{kind}` is not supported in a {surface}")
    yield from check_object(shape, block, path, is_block=True)
