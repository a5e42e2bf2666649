"""HTTP mode: the same payloads as signed requests to the app's own address."""

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

import httpx

from services.sandbox.slack.delivery import ACK_WITHIN_S, Envelope, EnvelopeKind, NotDeliveredError
from services.sandbox.slack.model import Json
from services.tls import trusted_authorities


class HttpDelivery:
    """Sends everything to one request URL, such as `http://127.0.0.1:3000/slack/events`."""

    def __init__(self, url: str, signing_secret: str, *, ack_within_s: float = ACK_WITHIN_S) -> None:
        self.url = url
        self._secret = signing_secret.encode()
        self._client = httpx.AsyncClient(timeout=ack_within_s, trust_env=False, verify=trusted_authorities())

    async def send(self, envelope: Envelope) -> Json:
        body, content_type = encode(envelope)
        headers = {"Content-Type": content_type, **self._signature(body), **_retry_headers(envelope)}
        try:
            response = await self._client.post(self.url, content=body, headers=headers)
        except httpx.TimeoutException:
            raise NotDeliveredError("http_timeout") from None
        except httpx.TransportError:
            raise NotDeliveredError("connection_failed") from None
        if not response.is_success:
            raise NotDeliveredError("http_error", may_retry=response.headers.get("x-slack-no-retry") != "1")
        return _acknowledgement(response)

    async def verify_url(self) -> bool:
        """Whether the app answers the challenge, as Slack asks when a request URL is saved."""
        payload = {"type": "url_verification", "token": "local-verification-token", "challenge": "local-challenge"}
        answer = await self.send(Envelope(EnvelopeKind.EVENT, payload))
        return "local-challenge" in (answer.get("challenge"), answer.get("text"))

    async def close(self) -> None:
        await self._client.aclose()

    def _signature(self, body: bytes) -> dict[str, str]:
        timestamp = str(int(time.time()))
        digest = hmac.new(self._secret, f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
        return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}


def encode(envelope: Envelope) -> tuple[bytes, str]:
    """The body and its content type: events as JSON, commands as a form, interactions as a form holding JSON."""
    if envelope.kind is EnvelopeKind.EVENT:
        return json.dumps(envelope.payload).encode(), "application/json"
    fields = envelope.payload
    if envelope.kind is EnvelopeKind.INTERACTIVE:
        fields = {"payload": json.dumps(envelope.payload)}
    return urlencode(fields).encode(), "application/x-www-form-urlencoded"


def _retry_headers(envelope: Envelope) -> dict[str, str]:
    if not envelope.retry_attempt:
        return {}
    return {"X-Slack-Retry-Num": str(envelope.retry_attempt), "X-Slack-Retry-Reason": envelope.retry_reason}


def _acknowledgement(response: httpx.Response) -> Json:
    if not response.content:
        return {}
    if response.headers.get("content-type", "").startswith("application/json"):
        decoded: Any = response.json()
        return decoded if isinstance(decoded, dict) else {}
    return {"text": response.text}
