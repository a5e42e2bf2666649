"""How payloads reach the app: one envelope at a time, acknowledged within three seconds or not at all."""

import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from services.sandbox.slack.model import Json

ACK_WITHIN_S = 3.0


class EnvelopeKind(StrEnum):
    COMMAND = "slash_commands"
    INTERACTIVE = "interactive"
    EVENT = "events_api"


def new_envelope_id() -> str:
    return f"{secrets.token_hex(4)}-{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(6)}"


@dataclass(frozen=True)
class Envelope:
    """`retry_attempt` is 0 the first time; later deliveries say why the one before failed."""

    kind: EnvelopeKind
    payload: Json
    id: str = field(default_factory=new_envelope_id)
    retry_attempt: int = 0
    retry_reason: str = ""


class NotDeliveredError(Exception):
    """The app did not acknowledge. `reason` is Slack's retry reason; `may_retry` is false when the app forbade it."""

    def __init__(self, reason: str, *, may_retry: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_retry = may_retry


class Delivery(Protocol):
    async def send(self, envelope: Envelope) -> Json:
        """Deliver once; the payload of the acknowledgement, often empty. Raises NotDeliveredError."""

    async def close(self) -> None: ...
