"""The demo's phones and mailboxes, behind a local pager service and a local SMTP server.

https://developer.pagerduty.com/docs/events-api-v2/, https://developer.pagerduty.com/docs/webhooks-overview/
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import StrEnum
from itertools import count
from typing import Literal

import httpx
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from services.clients.tls import trusted_authorities
from services.sandbox.railway.local import Changes
from services.sandbox.slack import model
from services.sandbox.slack.model import User

KEPT = 30  # rings, and as many mails
_LINKS = re.compile(r"^([A-Z][a-z ]+): (https?://\S+)$", re.MULTILINE)


class RingState(StrEnum):
    """The state of a pager's alert, in the order in which it changes."""

    RINGING = "ringing"
    SILENCED = "silenced"
    CLOSED = "closed"


@dataclass(frozen=True)
class Ring:
    """One alert of the pager. `key` is the sender's, `number` ours; `changed_at`: when its state last changed."""

    number: int
    key: str
    whom: User
    title: str
    details: str
    began_at: datetime
    changed_at: datetime
    state: RingState = RingState.RINGING


@dataclass(frozen=True)
class Mail:
    number: int
    whom: User
    subject: str
    details: str
    came_at: datetime

    @property
    def links(self) -> list[tuple[str, str]]:
        """`(words, address)` of each line that is a link."""
        return _LINKS.findall(self.details)

    @property
    def text(self) -> str:
        """The lines that are not links."""
        return _LINKS.sub("", self.details).strip()


class Phones:
    """The phone and mailbox of each person."""

    def __init__(self) -> None:
        self._rings: deque[Ring] = deque(maxlen=KEPT)
        self._mails: deque[Mail] = deque(maxlen=KEPT)
        self._changes = Changes()
        self._numbers = count(1)
        self.hook: str | None = None  # the bot's URL to which the pager reports acknowledgements; None: it does not

    @property
    def rings(self) -> Sequence[Ring]:
        """Newest first."""
        return tuple(self._rings)

    @property
    def mails(self) -> Sequence[Mail]:
        """Newest first."""
        return tuple(self._mails)

    @property
    def ringing(self) -> Sequence[Ring]:
        return tuple(ring for ring in self._rings if ring.state is RingState.RINGING)

    def subscribe(self) -> AsyncIterator[int]:
        """Yield a number at once, and another after each change."""
        return self._changes.subscribe()

    def ring(self, key: str, whom: User, title: str, details: str) -> None:
        """Let a person's phone ring. A repetition while the alert is open changes nothing."""
        if not any(ring.key == key and ring.state is not RingState.CLOSED for ring in self._rings):
            now = datetime.now(UTC)
            self._rings.appendleft(Ring(next(self._numbers), key, whom, title, details, now, now))
            self._changes.tick()

    def quiet(self, key: str, state: RingState) -> None:
        """Silence or close an alert that is not closed; unknown keys are ignored."""
        for place, ring in enumerate(self._rings):
            if ring.key == key and ring.state is not RingState.CLOSED:
                self._rings[place] = replace(ring, state=state, changed_at=datetime.now(UTC))
                self._changes.tick()

    async def answer(self, number: int) -> str | None:
        """Press *Acknowledge* on the phone: it is silenced, and the pager reports it. Returns the problem, or None."""
        ring = next((one for one in self._rings if one.number == number and one.state is RingState.RINGING), None)
        if ring is None:
            return "this phone does not ring any more"
        self.quiet(ring.key, RingState.SILENCED)
        return await self._report("acknowledged", ring) if self.hook else None

    async def _report(self, what: str, ring: Ring) -> str | None:
        body = json.dumps(_pager_event(what, ring, next(self._numbers))).encode()
        signature = hmac.new(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=REPORT_S, verify=trusted_authorities()) as http:
                answer = await http.post(self.hook or "", content=body, headers={SIGNATURE: f"v1={signature}"})
        except httpx.HTTPError as error:
            return f"the bot was not reached ({type(error).__name__})"
        return None if answer.is_success else f"the bot answered {answer.status_code}"

    def deliver(self, whom: User, subject: str, details: str) -> None:
        self._mails.appendleft(Mail(next(self._numbers), whom, subject, details, datetime.now(UTC)))
        self._changes.tick()


WEBHOOK_SECRET = "sandbox-pagerduty-secret"  # noqa: S105 - signs nothing but the demo's own pager
SIGNATURE = "X-PagerDuty-Signature"
REPORT_S = 10.0


def _pager_event(what: str, ring: Ring, number: int) -> dict[str, object]:
    """An event of a V3 webhook subscription."""
    agent = {"id": pager_id(ring.whom), "type": "user_reference", "summary": ring.whom.real_name}
    data = {"id": f"PALERT{ring.number}", "type": "incident", "incident_key": ring.key, "assignees": [agent]}
    return {
        "event": {
            "id": f"sandbox-{ring.key}-{number}",
            "event_type": f"incident.{what}",
            "occurred_at": datetime.now(UTC).isoformat(),
            "agent": agent,
            "data": data,
        }
    }


def pager_id(user: User) -> str:
    """A person's id at the pager."""
    return f"P{user.name.upper()}"


DOMAIN = "dragonfly.example"
SENDER = f"alerts@{DOMAIN}"
_HOST = "127.0.0.1"
_LARGEST = 1_000_000  # bytes per mail
_MAILBOXES = {f"{user.name}@{DOMAIN}": user for user in model.PEOPLE}


def address(name: str) -> str:
    """The address of a person's mailbox; `name` as in the workspace."""
    return f"{name}@{DOMAIN}"


class MailServer:
    """Accepts mails to the people of the workspace, and no others, on a free port of this machine."""

    def __init__(self, phones: Phones) -> None:
        self._phones = phones
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The server's address, for SMTP_URL. Only after `start`."""
        assert self._server is not None  # noqa: S101
        return f"smtp://{_HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        def session() -> SMTP:
            return SMTP(self, hostname=f"mail.{DOMAIN}", data_size_limit=_LARGEST)

        self._server = await asyncio.get_running_loop().create_server(session, _HOST, 0)

    async def stop(self) -> None:
        """Close the port. Does nothing before `start`."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, recipient: str, _options: list[str]
    ) -> str:
        if recipient.lower() not in _MAILBOXES:
            return "550 no mailbox here has this address"
        envelope.rcpt_tos.append(recipient.lower())
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)  # noqa: S101 - this policy makes one
        body = mail.get_body(("plain",))
        text = "\n".join(str(body.get_content()).strip().splitlines()) if body is not None else ""
        for recipient in envelope.rcpt_tos:
            self._phones.deliver(_MAILBOXES[recipient], str(mail["Subject"] or ""), text)
        return "250 taken"


PATH = "/phone/v2/enqueue"


class Details(BaseModel):
    text: str = ""


class Payload(BaseModel):
    """The payload of a trigger, with the fields that PagerDuty requires."""

    summary: str = Field(min_length=1, max_length=1024)
    source: str = Field(min_length=1)
    severity: Literal["critical", "error", "warning", "info"]
    custom_details: Details = Details()


class Event(BaseModel):
    routing_key: str
    event_action: Literal["trigger", "acknowledge", "resolve"]
    dedup_key: str = Field(min_length=1, max_length=255)
    payload: Payload | None = None


def routing_key(name: str) -> str:
    """The routing key of a person's phone; `name` as in the workspace."""
    return f"sandbox-pager-{name}"


_OWNERS = {routing_key(user.name): user for user in model.PEOPLE}


def build_router(phones: Phones) -> APIRouter:
    """`POST /phone/v2/enqueue`; 400 for an unknown routing key and for a trigger without a payload.

    `GET /phone/users/{id}`: a person at the pager.
    """
    router = APIRouter()

    @router.post(PATH, status_code=202)
    async def enqueue(event: Event) -> dict[str, str]:
        owner = _OWNERS.get(event.routing_key)
        if owner is None:
            raise HTTPException(400, "Invalid routing key")
        if event.event_action == "acknowledge":
            phones.quiet(event.dedup_key, RingState.SILENCED)
        elif event.event_action == "resolve":
            phones.quiet(event.dedup_key, RingState.CLOSED)
        elif event.payload is None:
            raise HTTPException(400, "Event object is invalid: 'payload' is missing or blank")
        else:
            phones.ring(event.dedup_key, owner, event.payload.summary, event.payload.custom_details.text)
        return {"status": "success", "message": "Event processed", "dedup_key": event.dedup_key}

    @router.get("/phone/users/{pager_user}")
    async def read_user(pager_user: str) -> dict[str, dict[str, str]]:
        user = next((one for one in model.PEOPLE if pager_id(one) == pager_user), None)
        if user is None:
            raise HTTPException(404, "Not Found")
        return {"user": {"id": pager_user, "name": user.real_name, "email": address(user.name)}}

    return router
