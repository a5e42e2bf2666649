"""Reads from Slack how our app is set up, and holds one Socket Mode connection to see what Slack delivers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from services.clients.slack import SlackClient
from services.clients.slack_calls import translated
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.slack_refusals import SOURCE, SlackRefusedError
from services.domain.slack_setup import Hello, Installation, Refused
from services.domain.text import cleaned

HELLO_WITHIN_S = 10.0


async def read_installation(slack: SlackClient, *, now: Callable[[], float]) -> Installation:
    """Describe the bot token, by `auth.test` with the headers of its answer, and `bots.info` for the app's id.

    now: Unix time by this machine's clock. Raises SlackRefusedError for a token that Slack refuses.
    """
    with translated("auth.test"):
        answer = await slack.web.auth_test()
    headers = {name.lower(): value for name, value in answer.headers.items()}
    scopes = headers.get("x-oauth-scopes")
    return Installation(
        team=str(answer.get("team") or ""),
        bot_name=str(answer.get("user") or ""),
        app_id=await _read_app_id(slack, str(answer.get("bot_id") or "")),
        scopes=None if scopes is None else frozenset(part.strip() for part in scopes.split(",") if part.strip()),
        clock_ahead_s=_clock_ahead(headers.get("date"), now()),
    )


def app_of_token(token: Secret) -> str | None:
    """The app id in an app-level token (xapp-1-A0…-…); None if it contains none."""
    parts = token.reveal().split("-")
    return parts[2] if len(parts) > 3 and parts[2][:1] == "A" and parts[2].isalnum() else None


async def request_connection(slack: SlackClient, app_token: Secret) -> str:
    """Return the URL for one connection. SlackRefusedError, for example `invalid_auth`, for an invalid token."""
    with translated("apps.connections.open"):
        answer = await slack.web.apps_connections_open(app_token=app_token.reveal())
    return str(answer["url"])


async def refusal(call: Awaitable[object]) -> Refused | None:
    """Run the call; return why Slack refused it, or None if it did not."""
    try:
        await call
    except SourceError as error:
        return as_refused(error)
    return None


def as_refused(error: SourceError) -> Refused:
    """The error as the fact that a check reads."""
    code = error.code if isinstance(error, SlackRefusedError) else "no answer"
    return Refused(code, error.why, is_unknown=error.is_outage)


class Connection:
    """One Socket Mode connection of ours, open within `connection(…)`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, hello: Hello) -> None:
        self.hello = hello
        self._socket = socket

    async def envelopes(self) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the envelopes that Slack delivers, until the connection ends."""
        async for message in self._socket:
            frame = _frame(message)
            if frame.get("envelope_id"):
                yield frame

    async def acknowledge(self, envelope: Mapping[str, Any], payload: Mapping[str, Any] | None = None) -> None:
        """Acknowledge the envelope; `payload` is the answer to a command. Raises SourceError."""
        answer: dict[str, Any] = {"envelope_id": envelope["envelope_id"]}
        with translated("Socket Mode"):
            await self._socket.send_str(json.dumps(answer | ({"payload": payload} if payload else {})))


@contextlib.asynccontextmanager
async def connection(slack: SlackClient, app_token: Secret) -> AsyncIterator[Connection]:
    """A connection after Slack's hello. SlackRefusedError if Slack refuses it ("too_many_websockets")."""
    url = await request_connection(slack, app_token)
    async with aiohttp.ClientSession() as session:
        with translated("Socket Mode"):
            socket = await session.ws_connect(url, heartbeat=HELLO_WITHIN_S)
        async with socket:
            yield Connection(socket, await _receive_hello(socket))


async def _receive_hello(socket: aiohttp.ClientWebSocketResponse) -> Hello:
    with translated("Socket Mode"):
        frame = _frame(await socket.receive(timeout=HELLO_WITHIN_S))
    if frame.get("type") == "disconnect":
        raise SlackRefusedError("Socket Mode", str(frame.get("reason") or "disconnect"))
    if frame.get("type") != "hello":
        raise SourceError(SOURCE, "Socket Mode: the connection ended at once", retryable=True)
    count = frame.get("num_connections")
    app_id = (frame.get("connection_info") or {}).get("app_id")
    return Hello(str(app_id) if app_id else None, count if isinstance(count, int) else None)


def _frame(message: aiohttp.WSMessage) -> Mapping[str, Any]:
    if message.type is not aiohttp.WSMsgType.TEXT:
        return {}
    try:
        frame = json.loads(message.data)
    except ValueError:
        return {}
    return cleaned(frame) if isinstance(frame, dict) else {}


async def _read_app_id(slack: SlackClient, bot_id: str) -> str | None:
    """The app's id; None if Slack does not show it, which needs the scope users:read."""
    try:
        with translated("bots.info"):
            answer = await slack.web.bots_info(bot=bot_id)
    except SourceError:
        return None
    app_id = (answer.get("bot") or {}).get("app_id")
    return str(app_id) if app_id else None


def _clock_ahead(date: str | None, now: float) -> float | None:
    try:
        return None if date is None else now - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
