"""PagerDuty's webhook calls: signed events, as its V3 subscriptions send them."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

SECRET = "made-up-webhook-secret"
_NUMBERS = count(1)


def user(name: str = "Ann Keller", id: str = "PANN") -> dict[str, str]:  # noqa: A002
    return {"id": id, "type": "user_reference", "summary": name, "html_url": f"https://acme.pagerduty.com/users/{id}"}


def pager_event(
    kind: str,
    alert_key: str,
    *,
    at: datetime | None = None,
    agent: dict[str, str] | None = None,
    assignees: tuple[dict[str, str], ...] = (),
    event_id: str | None = None,
) -> dict[str, Any]:
    """Make an event (https://developer.pagerduty.com/docs/webhooks-overview/). `kind`: such as "acknowledged"; `at`:
    None means now."""
    number = next(_NUMBERS)
    data = {"id": "PGR0VU2", "type": "incident", "number": number, "incident_key": alert_key, "assignees": [*assignees]}
    event = {
        "id": event_id or f"01EVENT{number}",
        "event_type": f"incident.{kind}",
        "resource_type": "incident",
        "occurred_at": (at or datetime.now(UTC)).isoformat(),
        "agent": agent,
        "client": None,
        "data": data,
    }
    return {"event": event}


def signed(event: dict[str, Any], *secrets: str) -> tuple[bytes, dict[str, str]]:
    """Return body and headers, with one signature per secret."""
    body = json.dumps(event).encode()
    marks = [hmac.new(one.encode(), body, hashlib.sha256).hexdigest() for one in secrets or (SECRET,)]
    return body, {"X-PagerDuty-Signature": ",".join(f"v1={mark}" for mark in marks)}
