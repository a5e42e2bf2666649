"""Checks that every message which a test makes the bot send is fit for a phone at 3 a.m."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bot.views.terminal import mrkdwn_text
from services.domain.phone_lines import PHONE_LIMIT, shown_width

_WHOLE_ID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b[0-9a-f]{40}\b")
_LINK = re.compile(r"<https?://[^|>]*\|([^>]*)>")
_PARTS = re.compile(r" · | since ")
_MOMENT = re.compile(r"[\d:. -]+(?: UTC)?")  # dates may repeat
_RUN = re.compile(r"run:\d+")  # its title may be the same as a step of its plan
_SAYS_SOMETHING = 16  # characters: shorter parts are names and words that may repeat
_NOT_SHOWN = frozenset({"value", "url", "action_id", "private_metadata", "type"})


def phone_faults(call: dict[str, Any]) -> Iterator[str]:
    """Return the faults of one recorded call.

    For posts that notify, and their edits: the first line fits a notification, and the headline is shown once. For
    posts that many people read: no whole ids; those are in *Details*, which is a modal, and in answers that only the
    requester sees.
    """
    method, payload = call["method"], call["payload"]
    shown = list(_texts(payload.get("blocks") or (payload.get("view") or {}).get("blocks") or []))
    if method in ("chat.postMessage", "chat.update") and shown:
        yield from _notification(method, payload, list(_texts(payload.get("blocks") or [], is_dialog_shown=False)))
    if _is_for_many(method, payload):
        for text in (*shown, str(payload.get("text") or "")):
            yield from (f"{method}: a whole id, {found}, in {text[:200]!r}" for found in _WHOLE_ID.findall(text))


def _notification(method: str, payload: dict[str, Any], shown: list[str]) -> Iterator[str]:
    first = str(payload.get("text") or "").partition("\n")[0]
    if method == "chat.postMessage" and shown_width(first) > PHONE_LIMIT:
        yield f"{method}: the first line has {shown_width(first)} characters: {first!r}"
    key = str(((payload.get("metadata") or {}).get("event_payload") or {}).get("key"))
    if _RUN.fullmatch(key):
        return
    headline, *rest = [line for one in shown for line in one.splitlines() if line.strip()]
    below = "\n".join(rest)
    for part in _PARTS.split(headline):
        words = re.sub(r"^\W+", "", part).strip()
        if len(words) >= _SAYS_SOMETHING and words in below and not _MOMENT.fullmatch(words):
            yield f"{method}: {words!r} is said twice"


def _is_for_many(method: str, payload: dict[str, Any]) -> bool:
    if method == "response_url":
        return payload.get("response_type") == "in_channel"
    return method in ("chat.postMessage", "chat.update", "views.publish")


def _texts(part: Any, *, is_dialog_shown: bool = True) -> Iterator[str]:
    """Yield each shown text as people read it, without values of buttons and addresses. A button's dialog is not part
    of the message: it repeats the button's subject."""
    if isinstance(part, list):
        for one in part:
            yield from _texts(one, is_dialog_shown=is_dialog_shown)
    elif isinstance(part, dict):
        if isinstance(part.get("text"), str):
            text = part["text"]
            yield mrkdwn_text(_LINK.sub(r"\1", text)) if part.get("type") == "mrkdwn" else text
        for name, value in part.items():
            if name not in _NOT_SHOWN and not isinstance(value, str) and (is_dialog_shown or name != "confirm"):
                yield from _texts(value, is_dialog_shown=is_dialog_shown)
