"""Delivers payloads to the app, over Socket Mode or signed HTTP, to be acknowledged within 3 seconds."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.clients.tls import trusted_authorities
from services.sandbox.slack.messages import Change, ChangeKind, Changes
from services.sandbox.slack.model import APP_ID, Json

ACK_WITHIN_S = 3.0


class EnvelopeKind(StrEnum):
    COMMAND = "slash_commands"
    INTERACTIVE = "interactive"
    EVENT = "events_api"


def new_envelope_id() -> str:
    return f"{secrets.token_hex(4)}-{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(6)}"


@dataclass(frozen=True)
class Envelope:
    """One delivery. `retry_attempt` is 0 at first; later ones have the reason why the one before failed."""

    kind: EnvelopeKind
    payload: Json
    id: str = field(default_factory=new_envelope_id)
    retry_attempt: int = 0
    retry_reason: str = ""


class NotDeliveredError(Exception):
    """The app did not acknowledge. `reason`: Slack's retry reason; `may_retry`: False if the app forbids a retry."""

    def __init__(self, reason: str, *, may_retry: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_retry = may_retry


class Delivery(Protocol):
    async def send(self, envelope: Envelope) -> Json:
        """Deliver once; return the acknowledgement's payload, often empty. Raises NotDeliveredError."""

    async def close(self) -> None: ...


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
        """True if the app answers the challenge that Slack sends when a request URL is saved."""
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
    """The body and its content type: events as JSON, commands as a form, interactions as a form with JSON."""
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


MAX_CONNECTIONS = 10  # Slack's limit per app
APPROXIMATE_LIFE_S = 3600
MAX_SENT = 1_000  # envelopes kept, so that one can be delivered again


class Connection:
    """One socket of the app. `is_leaving`: it has to disconnect, and gets no new envelopes."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.is_leaving = False
        self.waiting: dict[str, asyncio.Future[Json]] = {}

    async def send(self, frame: Json) -> None:
        await self.socket.send_text(json.dumps(frame, separators=(",", ":")))

    def acknowledge(self, frame: Json) -> None:
        future = self.waiting.pop(str(frame.get("envelope_id")), None)
        if future is not None and not future.done():
            future.set_result(frame.get("payload") or {})

    def abandon(self) -> None:
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(NotDeliveredError("connection_closed"))
        self.waiting.clear()


class SocketMode:
    """All connections of the app, used in turn."""

    def __init__(
        self, changes: Changes, *, ack_within_s: float = ACK_WITHIN_S, app_id: Callable[[], str] = lambda: APP_ID
    ) -> None:
        self.ack_within_s = ack_within_s
        self.max_connections = MAX_CONNECTIONS
        self._app_id = app_id
        self.sent: deque[Envelope] = deque(maxlen=MAX_SENT)
        self._changes = changes
        self._connections: list[Connection] = []
        self._tickets: set[str] = set()
        self._last_used: dict[str, Connection] = {}

    @property
    def count(self) -> int:
        return len(self._connections)

    def new_ticket(self) -> str:
        """A ticket that opens one connection."""
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return ticket

    async def serve(self, socket: WebSocket, ticket: str) -> None:
        """Serve one connection until it ends."""
        if ticket not in self._tickets:
            await socket.close(code=1008)
            return
        self._tickets.discard(ticket)
        await socket.accept()
        connection = Connection(socket)
        if self.count >= self.max_connections:
            await _disconnect(connection, "too_many_websockets")
            await socket.close()
            return
        await self._hold(connection)

    async def _hold(self, connection: Connection) -> None:
        self._connections.append(connection)
        self._changes.publish(Change(ChangeKind.CONNECTION))
        try:
            await connection.send(_hello(self.count, self._app_id()))
            while True:
                connection.acknowledge(_parse(await connection.socket.receive_text()))
        except (WebSocketDisconnect, RuntimeError):
            pass  # closed; Starlette raises RuntimeError for a socket that this side has closed
        finally:
            self._connections.remove(connection)
            connection.abandon()
            self._changes.publish(Change(ChangeKind.CONNECTION))

    async def send(self, envelope: Envelope) -> Json:
        connection = self._choose(envelope)
        self.sent.append(envelope)
        self._last_used[envelope.id] = connection
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        connection.waiting[envelope.id] = future
        try:
            async with asyncio.timeout(self.ack_within_s):
                await connection.send(_frame(envelope))
                answer = await future
        except TimeoutError:
            raise NotDeliveredError("timeout") from None
        except (WebSocketDisconnect, RuntimeError):
            raise NotDeliveredError("connection_closed") from None
        finally:
            connection.waiting.pop(envelope.id, None)
        del self._last_used[envelope.id]
        return answer

    def _choose(self, envelope: Envelope) -> Connection:
        """The next connection in turn; for a redelivery another one than before, if there is any."""
        usable = [connection for connection in self._connections if not connection.is_leaving]
        before = self._last_used.pop(envelope.id, None)
        others = [connection for connection in usable if connection is not before]
        chosen = next(iter(others or usable), None)
        if chosen is None:
            raise NotDeliveredError("no_connection")
        self._connections.remove(chosen)
        self._connections.append(chosen)
        return chosen

    async def redeliver(self, envelope: Envelope) -> Json:
        """Deliver an envelope again, which Slack may do even if it was acknowledged."""
        again = Envelope(envelope.kind, envelope.payload, envelope.id, envelope.retry_attempt + 1, "timeout")
        return await self.send(again)

    async def refresh(self, *, reason: str = "refresh_requested", only_one: bool = False) -> None:
        """Ask clients to reconnect, as Slack does every few hours; `warning` only announces it."""
        for connection in self._connections[: 1 if only_one else None]:
            connection.is_leaving = reason != "warning"
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await _disconnect(connection, reason)

    async def cut(self) -> None:
        """Close every connection without notice, like a broken network."""
        for connection in list(self._connections):
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await connection.socket.close(code=1011)

    async def close(self) -> None:
        await self.cut()


async def _disconnect(connection: Connection, reason: str) -> None:
    await connection.send({"type": "disconnect", "reason": reason, "debug_info": {"host": "local-slack"}})


def _hello(connections: int, app_id: str) -> Json:
    debug = {"host": "local-slack", "approximate_connection_time": APPROXIMATE_LIFE_S}
    return {
        "type": "hello",
        "num_connections": connections,
        "debug_info": debug,
        "connection_info": {"app_id": app_id},
    }


def _frame(envelope: Envelope) -> Json:
    frame: Json = {
        "envelope_id": envelope.id,
        "type": envelope.kind,
        "payload": envelope.payload,
        "accepts_response_payload": envelope.kind is not EnvelopeKind.EVENT,
    }
    if envelope.kind is EnvelopeKind.EVENT or envelope.retry_attempt:
        frame |= {"retry_attempt": envelope.retry_attempt, "retry_reason": envelope.retry_reason}
    return frame


def _parse(text: str) -> Json:
    try:
        frame = json.loads(text)
    except ValueError:
        return {}
    return frame if isinstance(frame, dict) else {}
