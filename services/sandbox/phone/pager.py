"""A local pager service: takes PagerDuty's Events API v2, and rings the phone that the routing key belongs to.

https://developer.pagerduty.com/docs/events-api-v2/
"""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, Field

from services.sandbox.phone.phones import Phones, RingState
from services.sandbox.slack import cast

PATH = "/phone/v2/enqueue"


class Details(BaseModel):
    text: str = ""


class Payload(BaseModel):
    """Of a trigger; what PagerDuty refuses an event without."""

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
    """Of a person's phone; `name` as in the workspace."""
    return f"sandbox-pager-{name}"


_OWNERS = {routing_key(user.name): user for user in cast.PEOPLE}


def build_router(phones: Phones) -> APIRouter:
    """`POST /phone/v2/enqueue`; 400 for an unknown routing key, and for a trigger that says nothing."""
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

    return router
