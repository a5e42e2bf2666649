"""Checks a request to `/slack/events` before anything parses it; pure.

Bolt checks signatures too, but a timestamp that is no number or a body that is no JSON makes it answer 500,
and it knows one secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from services.domain.secrets import Secret

MAX_BODY = 1_000_000  # bytes; Slack's own payloads stay far below (a view has at most 250 kB)
MAX_AGE_S = 300


@dataclass(frozen=True)
class Refusal:
    """The HTTP status to answer with, and why, for the log."""

    status: int
    why: str


def check(headers: Mapping[str, str], body: bytes, *, secrets: Sequence[Secret], now: float) -> Refusal | None:
    """None when the request is Slack's and readable. `headers` has lower-case names, `now` is in Unix seconds."""
    if len(body) > MAX_BODY:
        return Refusal(413, "body too large")
    timestamp = headers.get("x-slack-request-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return Refusal(401, "timestamp is no number")
    if abs(now - int(timestamp)) > MAX_AGE_S:
        return Refusal(401, "timestamp too old or in the future")
    if not _is_signed(headers.get("x-slack-signature", ""), timestamp, body, secrets):
        return Refusal(401, "signature does not fit")
    if not _is_readable(headers.get("content-type", ""), body):
        return Refusal(400, "body is malformed")
    return None


def _is_signed(signature: str, timestamp: str, body: bytes, secrets: Sequence[Secret]) -> bool:
    base = b"v0:" + timestamp.encode() + b":" + body
    given = signature.encode("utf-8", "replace")  # compare_digest raises for text that is not ASCII
    fits = [hmac.compare_digest(_sign(secret, base), given) for secret in secrets]
    return any(fits)


def _sign(secret: Secret, base: bytes) -> bytes:
    return b"v0=" + hmac.new(secret.reveal().encode(), base, hashlib.sha256).hexdigest().encode()


def _is_readable(content_type: str, body: bytes) -> bool:
    """Whether Bolt will find an object in it: JSON, or a form whose `payload` is JSON."""
    try:
        text = body.decode("utf-8")
        if content_type.split(";")[0].strip() == "application/json" or text.startswith("{"):
            return isinstance(json.loads(text), dict)
        form = parse_qs(text, keep_blank_values=True)
        return all(isinstance(json.loads(payload), dict) for payload in form.get("payload", ()))
    except (ValueError, RecursionError):
        return False
