"""What makes a payload the same payload when Slack delivers it again; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

Payload = Mapping[str, Any]


def delivery_key(body: Payload) -> str | None:
    """A key that a redelivery repeats and nothing else has; None for a payload that cannot be told apart.

    A message is one command, whatever events tell of it: after an edit Slack mentions us again, with another event id.
    Other events carry an id. Commands, shortcuts and views carry a trigger, actions the moment of the click: a trigger
    may be renewed, the click's moment is what stays.
    """
    if message := _mention_key(body.get("event") or {}):
        return message
    if event_id := body.get("event_id"):
        return f"event:{event_id}"
    if actions := body.get("actions"):
        return _action_key(body, actions[0])
    if trigger := body.get("trigger_id"):
        return f"trigger:{trigger}"
    return None


def _mention_key(event: Payload) -> str | None:
    channel, ts = event.get("channel"), event.get("ts")
    if event.get("type") != "app_mention" or not channel or not ts:
        return None
    edited = event.get("edited") or {}
    return f"edit:{channel}:{ts}:{edited.get('ts')}" if edited else f"message:{channel}:{ts}"


def _action_key(body: Payload, action: Payload) -> str:
    container = body.get("container") or {}
    where = container.get("message_ts") or container.get("view_id") or ""
    user = (body.get("user") or {}).get("id")
    parts = (body.get("team", {}) or {}).get("id"), user, where, action.get("action_ts"), action.get("action_id")
    # Hashed: an action id may be 255 characters, and what a key says is nobody's business.
    return "action:" + hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
