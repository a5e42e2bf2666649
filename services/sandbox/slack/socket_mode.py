"""Socket Mode's server side: each envelope goes to exactly one connection and is acknowledged by its id."""

import asyncio
import contextlib
import json
import secrets
from collections import deque

from starlette.websockets import WebSocket, WebSocketDisconnect

from services.sandbox.slack.changes import Change, ChangeKind, Changes
from services.sandbox.slack.delivery import ACK_WITHIN_S, Envelope, EnvelopeKind, NotDeliveredError
from services.sandbox.slack.model import Json

MAX_CONNECTIONS = 10  # Slack's limit for one app
APPROXIMATE_LIFE_S = 3600
MAX_SENT = 1_000  # envelopes kept, so that one can be delivered twice


class Connection:
    """One socket of the app. `is_leaving` once it was told to disconnect: it gets nothing new."""

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

    def __init__(self, changes: Changes, *, ack_within_s: float = ACK_WITHIN_S) -> None:
        self.ack_within_s = ack_within_s
        self.sent: deque[Envelope] = deque(maxlen=MAX_SENT)
        self._changes = changes
        self._connections: list[Connection] = []
        self._tickets: set[str] = set()
        self._last_used: dict[str, Connection] = {}

    @property
    def count(self) -> int:
        return len(self._connections)

    def new_ticket(self) -> str:
        """Opens one connection."""
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return ticket

    async def serve(self, socket: WebSocket, ticket: str) -> None:
        """Hold one connection until it ends."""
        if ticket not in self._tickets:
            await socket.close(code=1008)
            return
        self._tickets.discard(ticket)
        await socket.accept()
        connection = Connection(socket)
        if self.count >= MAX_CONNECTIONS:
            await _disconnect(connection, "too_many_websockets")
            await socket.close()
            return
        await self._hold(connection)

    async def _hold(self, connection: Connection) -> None:
        self._connections.append(connection)
        self._changes.publish(Change(ChangeKind.CONNECTION))
        try:
            await connection.send(_hello(self.count))
            while True:
                connection.acknowledge(_parse(await connection.socket.receive_text()))
        except (WebSocketDisconnect, RuntimeError):
            pass  # gone; Starlette raises RuntimeError for a socket that was closed from our side
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
        """The connection whose turn it is; for a redelivery another one than before, if there is any."""
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
        """Deliver an envelope a second time, as Slack may although the first was acknowledged."""
        again = Envelope(envelope.kind, envelope.payload, envelope.id, envelope.retry_attempt + 1, "timeout")
        return await self.send(again)

    async def refresh(self, *, reason: str = "refresh_requested", only_one: bool = False) -> None:
        """Ask clients to connect anew, as Slack does every few hours; `warning` announces it only."""
        for connection in self._connections[: 1 if only_one else None]:
            connection.is_leaving = reason != "warning"
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await _disconnect(connection, reason)

    async def cut(self) -> None:
        """Close every connection without a word, as a broken network does."""
        for connection in list(self._connections):
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await connection.socket.close(code=1011)

    async def close(self) -> None:
        await self.cut()


async def _disconnect(connection: Connection, reason: str) -> None:
    await connection.send({"type": "disconnect", "reason": reason, "debug_info": {"host": "local-slack"}})


def _hello(connections: int) -> Json:
    debug = {"host": "local-slack", "approximate_connection_time": APPROXIMATE_LIFE_S}
    return {
        "type": "hello",
        "num_connections": connections,
        "debug_info": debug,
        "connection_info": {"app_id": "A0DRAGONFLY"},
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
