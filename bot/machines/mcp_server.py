"""`dragonfly mcp`: the commands for machines as tools of the Model Context Protocol, over stdio or local HTTP.

Its only secret is a machine's token: each tool is one call of the bot's `POST /machines`, which authorizes, audits and
limits. The SDK (the extra `mcp`) is imported only here, when the command runs.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import sys
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from bot.changes import Change
from bot.commands.arguments import wrong_word
from bot.machines.catalogue import ARGUMENTS_LIMIT, offered_verbs
from bot.types import Answer, Verb
from bot.views.terminal import mrkdwn_text
from services.clients.machine_door import DoorAnswer, MachineDoorClient
from services.domain.errors import OperatorError, SourceError
from services.domain.secrets import Secret, remember_secrets, without_own_secrets
from services.domain.text import read_json

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server
    from starlette.types import ASGIApp, Receive, Scope, Send

URL, TOKEN, HTTP_TOKEN = "DRAGONFLY_URL", "DRAGONFLY_MACHINE_TOKEN", "DRAGONFLY_MCP_TOKEN"
PORT = 8765
USAGE = "Write `dragonfly mcp`, or `dragonfly mcp --http [port]`."
_WAITS = "Files a request only: people approve it in Slack. Answers with the run's number and link."


def tool_name(verb: Verb) -> str:
    """ "incident_timeline": the verb's name with characters that every client accepts."""
    return verb.name.replace(" ", "_").replace("-", "_")


def tools() -> dict[str, Verb]:
    """`{tool name: verb}`, from the registry."""
    return {tool_name(verb): verb for verb in offered_verbs()}


def described(verb: Verb) -> str:
    """A tool's description, for a model."""
    parts = [f"{mrkdwn_text(verb.summary)}."]
    parts += [_WAITS] if isinstance(verb, Change) else ["Changes nothing."]
    parts += [f"Arguments: {verb.usage}."] if verb.usage else ["No arguments."]
    parts += [f"Examples: {'; '.join(verb.examples)}."] if verb.examples else []
    return " ".join(parts)


def make_server(door: MachineDoorClient) -> Server[Any]:
    """Make the server, not running yet."""
    from mcp import types
    from mcp.server.lowlevel import Server

    verbs = tools()
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "arguments": {"type": "string", "maxLength": ARGUMENTS_LIMIT, "description": "What follows it."}
        },
        "additionalProperties": False,
    }

    def tool(name: str, verb: Verb) -> types.Tool:
        hints = types.ToolAnnotations(read_only_hint=verb.is_read, destructive_hint=False, open_world_hint=False)
        return types.Tool(name=name, description=described(verb), input_schema=schema, annotations=hints)

    async def list_tools(_context: object, _params: object) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[tool(name, verb) for name, verb in verbs.items()])

    async def call_tool(_context: object, params: types.CallToolRequestParams) -> types.CallToolResult:
        text, is_error = await call(door, verbs.get(params.name), params.arguments or {})
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=is_error)

    return Server("dragonfly", on_list_tools=list_tools, on_call_tool=call_tool)


async def call(door: MachineDoorClient, verb: Verb | None, given: Mapping[str, Any]) -> tuple[str, bool]:
    """Call a tool. Returns its text, and True if it failed. Answers of the bot never raise."""
    arguments = given.get("arguments", "")
    if verb is None or not isinstance(arguments, str) or given.keys() - {"arguments"}:
        return "Nothing was run: there is no such tool, or its arguments are not text.", True
    try:
        answer = await _ask(door, verb, arguments)
    except SourceError as error:
        unknown = " It is not known whether it was filed: check `runs`." if error.outcome_unknown else ""
        return f"No usable answer: {error.why}.{unknown if isinstance(verb, Change) else ''}", True
    return without_own_secrets(_shown(answer)), answer.is_refused


async def _ask(door: MachineDoorClient, verb: Verb, arguments: str) -> DoorAnswer:
    """Send the call. If the answer to a change is lost, send it again with the same id, which files one run. Only a run
    in the second answer proves that it was filed; a refusal may apply to the second call alone."""
    request_id = f"mcp-{uuid.uuid4()}"
    try:
        return await door.call(verb.name, arguments, request_id=request_id)
    except SourceError as error:
        if not isinstance(verb, Change) or not error.outcome_unknown:
            raise
        lost = error
    with contextlib.suppress(SourceError):
        again = await door.call(verb.name, arguments, request_id=request_id)
        if again.run is not None:
            return again
    raise lost


def _shown(answer: DoorAnswer) -> str:
    run = answer.run
    if run is None:
        return answer.text
    return f"{answer.text}\n\nRun {run['id']} is {str(run['state']).replace('_', ' ')}: {run['link'] or 'see Slack'}"


async def serve(words: Sequence[str], environ: Mapping[str, str]) -> Answer:
    """Run `mcp [--http [port]]` until it is stopped. Raises OperatorError if it can't start."""
    port = _port(words)
    url, token = (_needed(environ, name) for name in (URL, TOKEN))
    remember_secrets("mcp", [Secret(one) for one in (token, environ.get(HTTP_TOKEN, "")) if one])
    door = MachineDoorClient(url, Secret(token))
    try:
        server = make_server(door)
        if port is None:
            await _serve_stdio(server)
        else:
            await _serve_http(server, port, Secret(_needed(environ, HTTP_TOKEN)))
    except ImportError as error:
        why, what_next = "its SDK is not installed", "Install it: `pip install 'dragonfly-chatops[mcp]'`."
        raise OperatorError("The MCP server did not start", why=why, what_next=what_next) from error
    finally:
        await door.aclose()
    return Answer("", (), {})


def _port(words: Sequence[str]) -> int | None:
    match list(words):
        case []:
            return None
        case ["--http"]:
            return PORT
        case ["--http", given] if given.isascii() and given.isdigit() and 0 < int(given) < 65536:
            return int(given)
    raise wrong_word(words[-1], "is not expected here", USAGE)


def _needed(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        why, what_next = f"{name} is not set", "See docs/machines.md."
        raise OperatorError("The MCP server did not start", why=why, what_next=what_next)
    return value


async def _serve_stdio(server: Server[Any]) -> None:
    import anyio
    from mcp.server.stdio import stdio_server

    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    lines: Any = _cleaned(anyio.wrap_file(sys.stdin))  # the SDK only iterates over them
    async with stdio_server(stdin=lines) as (reads, writes):
        await server.run(reads, writes, server.create_initialization_options())


async def _cleaned(lines: AsyncIterable[str]) -> AsyncIterator[str]:
    async for line in lines:
        yield clean_line(line)


def clean_line(line: str) -> str:
    """Remove lone surrogates (half an emoji) from a JSON message: the SDK would drop the call, and its client would
    wait forever. Other text is returned unchanged."""
    try:
        return json.dumps(read_json(line), allow_nan=False)
    except (ValueError, RecursionError):
        return line


def make_http_app(server: Server[Any], token: Secret) -> ASGIApp:
    """Make the app that serves streamable HTTP at /mcp to clients with the token; 401 for others."""
    app = server.streamable_http_app(stateless_http=True, json_response=True)

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_authorized(scope, token):
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    return guarded


def _is_authorized(scope: Scope, token: Secret) -> bool:
    given = dict(scope["headers"]).get(b"authorization", b"")
    return hmac.compare_digest(bytes(given), f"Bearer {token.reveal()}".encode())


async def _serve_http(server: Server[Any], port: int, token: Secret) -> None:
    import uvicorn

    config = uvicorn.Config(make_http_app(server, token), host="127.0.0.1", port=port, log_level="warning")
    await uvicorn.Server(config).serve()
