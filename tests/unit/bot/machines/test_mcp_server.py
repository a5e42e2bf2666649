"""The MCP server, as a client of the protocol sees it, with a stand-in for the door at the wire."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from threading import Timer
from typing import Any

import httpx
import pytest
from mcp.client.client import Client

from bot.commands.registry import REGISTRY
from bot.machines.catalogue import is_offered, offered_verbs
from bot.machines.mcp_server import clean_line, make_http_app, make_server, serve, tools
from services.clients.machine_door import MachineDoorClient
from services.domain.errors import OperatorError, UsageError
from services.domain.secrets import Secret
from tests.fuzzed_calls import fuzzed_call
from tests.outside import PATIENCE_S

FILED = {
    "status": "ok",
    "text": "Run 12 waits for an approval.",
    "data": {"id": 12},
    "run": {"id": 12, "state": "awaiting_approval", "link": "https://acme.slack.com/archives/C1/p1"},
}
ROUNDS = 500
UNKNOWN = "not known whether"


class Door:
    """Stands in for the door: records the calls, and gives the answers of the test."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response] | None = None) -> None:
        self.calls: list[dict[str, Any]] = []
        self._answer = answer or (lambda _: httpx.Response(200, json=FILED))

    @property
    def client(self) -> MachineDoorClient:
        return MachineDoorClient("https://bot.example", Secret("t" * 32), transport=httpx.MockTransport(self._take))

    def _take(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == f"Bearer {'t' * 32}"
        self.calls.append(json.loads(request.content))
        return self._answer(request)


async def test_the_tools_are_those_of_the_registry() -> None:
    async with Client(make_server(Door().client)) as client:
        listed = (await client.list_tools()).tools

    assert {one.name for one in listed} == set(tools())
    assert [tools()[one.name].name for one in listed] == [verb.name for verb in offered_verbs()]
    hints = {one.name: one.annotations.read_only_hint for one in listed if one.annotations}
    assert (hints["queue"], hints["deploy"]) == (True, False)
    assert "stop_workers" not in hints


async def test_a_change_answers_with_the_number_and_the_link_of_its_run() -> None:
    door = Door()

    async with Client(make_server(door.client)) as client:
        result = await client.call_tool("deploy", {"arguments": "api 8d02b64e"})

    assert not result.is_error
    text = getattr(result.content[0], "text", "")
    assert "Run 12 is awaiting approval: https://acme.slack.com/archives/C1/p1" in text
    assert [(one["verb"], one["arguments"]) for one in door.calls] == [("deploy", "api 8d02b64e")]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(401), "does not know this token"),
        (httpx.Response(429), "too many calls"),
        (httpx.Response(500, text="x"), "cannot be understood"),
        (httpx.Response(200, text="no json"), "cannot be understood"),
        (httpx.Response(403, json=FILED | {"text": "You don't have permission", "run": None}), "permission"),
    ],
)
async def test_mcp_server_returns_a_failed_call_as_an_error_in_words(answer: httpx.Response, words: str) -> None:
    async with Client(make_server(Door(lambda _: answer).client)) as client:
        result = await client.call_tool("queue", {})

    assert result.is_error
    assert words in getattr(result.content[0], "text", "")


LOST = (
    httpx.Response(500, text="x"),
    httpx.Response(503, json=FILED | {"run": None, "outcome_unknown": True}),
    httpx.Response(502, json=FILED | {"run": None}),
    httpx.Response(200, text="<html>"),
    httpx.Response(200, json=FILED | {"run": {"id": 12}}),
    httpx.Response(302, headers={"Location": "https://other.example"}),
)
KNOWN = httpx.Response(503, json=FILED | {"text": "the database is away", "run": None, "outcome_unknown": False})
REFUSED = httpx.Response(409, json=FILED | {"text": "it runs already", "run": None, "outcome_unknown": False})


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(
    ("second", "words"),
    [
        (httpx.Response(200, json=FILED), "Run 12 is"),
        (REFUSED, UNKNOWN),
        (httpx.Response(401), UNKNOWN),
        (None, UNKNOWN),
    ],
)
async def test_a_change_whose_answer_is_lost_is_asked_for_once_more_with_the_same_id(
    lost: httpx.Response, second: httpx.Response | None, words: str
) -> None:
    answers = iter((lost, second or lost))
    door = Door(lambda _: next(answers))

    async with Client(make_server(door.client)) as client:
        result = await client.call_tool("deploy", {"arguments": "api 8d02b64e"})

    assert words in getattr(result.content[0], "text", "")
    assert result.is_error is (words == UNKNOWN)
    assert len(door.calls) == 2
    assert len({one["request_id"] for one in door.calls}) == 1


@pytest.mark.parametrize(("tool", "answer"), [("queue", LOST[0]), ("deploy", KNOWN), ("deploy", REFUSED)])
async def test_a_read_and_what_is_known_are_asked_for_once(tool: str, answer: httpx.Response) -> None:
    door = Door(lambda _: answer)

    async with Client(make_server(door.client)) as client:
        result = await client.call_tool(tool, {})

    assert (result.is_error, len(door.calls)) == (True, 1)
    assert UNKNOWN not in getattr(result.content[0], "text", "")


async def test_fuzzed_calls_reach_the_door_by_the_names_of_offered_verbs_only() -> None:
    door, rng = Door(), random.Random(5)  # noqa: S311 - the same calls each time

    async with Client(make_server(door.client)) as client:
        for _ in range(ROUNDS):
            name, arguments = fuzzed_call(rng)
            all_given: list[dict[str, Any]] = [{"arguments": arguments}, {"arguments": 7}, {"verb": "approve"}, {}]
            given = rng.choice(all_given)
            await client.call_tool(rng.choice([name, *tools()]), given)

    assert len(door.calls) > ROUNDS / 10
    assert all(is_offered(REGISTRY[one["verb"]]) for one in door.calls)


async def test_over_http_only_who_has_the_token_is_answered() -> None:
    app = make_http_app(make_server(Door().client), Secret("h" * 32))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as client:
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Basic {'h' * 32}"}):
            assert (await client.post("/mcp", json={}, headers=headers)).status_code == 401


async def test_mcp_server_refuses_unexpected_arguments() -> None:
    for line in ("--http 0", "--http 65536", "--http x", "stop-workers", "--http 1 2"):
        with pytest.raises(UsageError, match="not expected"):
            await serve(line.split(), {})


async def test_mcp_server_names_the_missing_variable() -> None:
    with pytest.raises(OperatorError, match="did not start") as error:
        await serve([], {"DRAGONFLY_URL": "https://bot.example"})

    assert error.value.why == "DRAGONFLY_MACHINE_TOKEN is not set"


def test_mcp_server_on_stdio_writes_no_line_of_its_own_when_its_client_ends() -> None:
    variables = {"DRAGONFLY_URL": "https://bot.example", "DRAGONFLY_MACHINE_TOKEN": "t" * 32}

    done = subprocess.run(
        [sys.executable, "-m", "bot.cli", "mcp"], input="", capture_output=True, text=True, env=variables
    )

    assert (done.stdout, done.returncode) == ("", 0)


def test_mcp_server_on_stdio_answers_a_call_with_half_an_emoji() -> None:
    """The SDK answers no message that has one, and the assistant would wait."""
    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    given = {"name": "none\ud83d", "arguments": {"arguments": "half\ud83d"}}
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": given},
    ]
    variables = {"DRAGONFLY_URL": "https://bot.example", "DRAGONFLY_MACHINE_TOKEN": "t" * 32}
    command = [sys.executable, "-m", "bot.cli", "mcp"]

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        patience = Timer(PATIENCE_S, server.kill)
        patience.start()
        for message in messages:
            server.stdin.write(f"{json.dumps(message)}\n")
        server.stdin.flush()
        answers = [json.loads(server.stdout.readline()), json.loads(server.stdout.readline())]
        patience.cancel()
        server.stdin.close()

    assert answers[1]["id"] == 2
    assert "no such tool" in answers[1]["result"]["content"][0]["text"]


@pytest.mark.parametrize("line", ["no JSON\n", "[" * 100_000, '{"a": 1e999}'])
def test_a_line_that_cannot_be_cleaned_is_left_to_the_sdk(line: str) -> None:
    assert clean_line(line) == line
