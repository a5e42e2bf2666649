"""Verifies and parses PagerDuty's signed V3 webhooks, and reads the e-mail address of one of its users.

https://developer.pagerduty.com/docs/webhooks-overview/,
https://developer.pagerduty.com/docs/verifying-webhook-signatures/
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from services.clients.bounded_http import send_bounded
from services.clients.tls import trusted_authorities
from services.domain.answers import PagerAction, PagerEvent, PagerUser
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.text import read_json

SIGNATURE = "x-pagerduty-signature"  # "v1=<hex>,v1=<hex>": one per secret during a rotation of the secret
_ACTIONS = {
    "incident.acknowledged": PagerAction.ACKNOWLEDGED,
    "incident.unacknowledged": PagerAction.UNACKNOWLEDGED,
    "incident.reassigned": PagerAction.REASSIGNED,
    "incident.resolved": PagerAction.RESOLVED,
}
_ID = re.compile(r"[A-Za-z0-9]{1,40}\Z")
_NAME_LIMIT = 30  # characters; the rest of the first line on a phone is for the problem
_SIGNATURES = 10  # the most that are compared


def is_signed(body: bytes, header: str, secrets: Sequence[Secret]) -> bool:
    """True if one of the signatures matches one of the secrets; all are compared, also after a match."""
    parts = [one.strip() for one in header.split(",", _SIGNATURES)[:_SIGNATURES]]
    given = [one.removeprefix("v1=") for one in parts if one.startswith("v1=")]
    expected = [hmac.new(one.reveal().encode(), body, hashlib.sha256).hexdigest() for one in secrets]
    fits = [hmac.compare_digest(one.encode(), other.encode("utf-8", "replace")) for one in expected for other in given]
    return any(fits)


def read_event(body: bytes) -> PagerEvent | None:
    """The event of a webhook; None for kinds that change nothing here, such as a ping, and for an invalid body."""
    try:
        event = _object(_object(read_json(body)).get("event"))
        action = _ACTIONS.get(str(event.get("event_type")))
        data = _object(event.get("data"))
        at = datetime.fromisoformat(str(event.get("occurred_at")))
    except (ValueError, RecursionError):
        return None
    event_id, alert_key = event.get("id"), data.get("incident_key")
    if action is None or not (isinstance(event_id, str) and isinstance(alert_key, str) and 0 < len(event_id) <= 200):
        return None
    assignees = data.get("assignees")
    first = assignees[0] if isinstance(assignees, list) and assignees else None
    return PagerEvent(
        event_id,
        action,
        alert_key,
        at if at.tzinfo else at.replace(tzinfo=UTC),
        by=_user(event.get("agent")),
        assignee=_user(first),
    )


def _user(reference: Any) -> PagerUser | None:
    """The user that a webhook refers to; None for a service, an integration or an absent reference."""
    found = _object(reference)
    if found.get("type") != "user_reference" or not _ID.match(str(found.get("id"))):
        return None
    name = " ".join(str(found.get("summary") or "").split())[:_NAME_LIMIT]
    return PagerUser(str(found["id"]), name or "a person without a name")


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


class PagerDutyApi:
    """Client of PagerDuty's REST API. Connects at the first call; `aclose` disconnects."""

    def __init__(
        self, url: str, token: Secret, *, timeout_s: float = 1.0, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._timeout_s = timeout_s  # short: the rest of the webhook's work, such as stopping pages, waits for this
        headers = {
            "Authorization": f"Token token={token.reveal()}",
            "Accept": "application/vnd.pagerduty+json;version=2",
        }
        self._http = httpx.AsyncClient(
            base_url=url,
            headers=headers,
            timeout=timeout_s,
            follow_redirects=False,
            verify=trusted_authorities(),
            transport=transport,
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def read_email(self, user: PagerUser) -> str:
        """Return the user's e-mail address. Raises SourceError("PagerDuty", …)."""
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await send_bounded(self._http, "GET", f"/users/{user.id}")
            found = _object(_object(read_json(answer.content)).get("user")).get("email") if answer.is_success else None
        except (TimeoutError, httpx.HTTPError, ValueError, RecursionError) as error:
            raise SourceError("PagerDuty", f"the person was not read ({type(error).__name__})") from None
        if not isinstance(found, str) or not found:
            raise SourceError("PagerDuty", f"the person was not read ({answer.status_code})")
        return found
