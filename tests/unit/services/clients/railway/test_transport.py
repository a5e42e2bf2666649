"""Calls of Railway's API that end with an unusual answer or with none."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable

import httpx
import pytest

from services.clients.railway.transport import NothingDoneError, SendDeadline, TokenKind, Transport
from services.domain.errors import SourceError
from services.domain.secrets import Secret

TOKEN = "made-up-token"
Answer = Callable[[httpx.Request], httpx.Response]


def transport(answer: Answer, *, token: str = TOKEN, kind: TokenKind = TokenKind.PROJECT) -> Transport:
    return Transport(
        url="http://railway.test/graphql",
        token=Secret(token),
        token_kind=kind,
        timeout_s=0.2,
        transport=httpx.MockTransport(answer),
    )


async def failure(answer: Answer) -> SourceError:
    call = transport(answer)
    with pytest.raises(SourceError) as raised:
        await call.call("{ me }", {})
    await call.aclose()
    assert TOKEN not in "".join(traceback.format_exception(raised.value))
    return raised.value


@pytest.mark.parametrize(
    ("kind", "header", "value"),
    [
        (TokenKind.PROJECT, "project-access-token", TOKEN),
        (TokenKind.BEARER, "authorization", f"Bearer {TOKEN}"),
    ],
)
async def test_each_kind_of_token_has_its_own_header(kind: TokenKind, header: str, value: str) -> None:
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, json={"data": {}})

    await transport(answer, kind=kind).call("{ me }", {})

    assert seen[0][header] == value
    assert ("authorization" in seen[0]) is (kind is TokenKind.BEARER)


@pytest.mark.parametrize(
    ("response", "why", "retryable"),
    [
        (httpx.Response(401), "refuses our token", False),
        (httpx.Response(404), "HTTP 404", False),
        (httpx.Response(302, headers={"location": "http://elsewhere.test"}), "HTTP 302", False),
        (httpx.Response(502, text="<html>"), "HTTP 502", True),
        (httpx.Response(200, text="<html>"), "not GraphQL", True),
        (httpx.Response(200, json=[]), "not GraphQL", True),
        (httpx.Response(200, json={"data": None}), "not GraphQL", True),
        (httpx.Response(200, content=b"\xff\xfe"), "not GraphQL", True),
        (httpx.Response(200, text="[" * 100_000), "not GraphQL", True),
        (httpx.Response(200, json={"errors": "odd"}), "no reason given", False),
        (httpx.Response(400, json={"errors": [{"message": "Cannot query\nfield"}]}), "Cannot query field", False),
        (httpx.Response(200, json={"errors": [{"message": "Not Authorized"}]}), "refuses our token", False),
        (httpx.Response(200, json={"errors": [{"message": f"what is {TOKEN}?"}]}), "what is …?", False),
        (httpx.Response(200, json={"errors": [{"message": "x" * 5000}]}), "error: …", False),
        (httpx.Response(200, json={"errors": [{"message": 'no variable "Jane Roe"'}]}), "no variable", False),
    ],
)
async def test_reports_what_is_wrong(response: httpx.Response, why: str, retryable: bool) -> None:
    error = await failure(lambda _: response)

    assert why in error.why
    assert len(error.why) < 300
    assert error.retryable is retryable


def reported(message: str, **more: object) -> dict[str, object]:
    return {"errors": [{"message": message, **more}]}


@pytest.mark.parametrize(
    "response",
    [
        *(httpx.Response(status, text="<html>") for status in (400, 401, 403, 404, 422, 429)),
        httpx.Response(400, json=reported("Something odd")),
        httpx.Response(200, json=reported("Not Authorized")),
        httpx.Response(200, json=reported("Not Authorized") | {"data": None}),
        httpx.Response(200, json=reported("Not Authorized") | {"data": {"deploymentStop": None}}),
        httpx.Response(200, json=reported("Deployment not found")),
        httpx.Response(200, json=reported('Cannot query field "stop" on type "Mutation".')),
        httpx.Response(200, json=reported("Nonsense", extensions={"code": "BAD_USER_INPUT"})),
    ],
)
async def test_known_refusal_of_a_change_is_certain(response: httpx.Response) -> None:
    assert not (await change_failure(response)).outcome_unknown


@pytest.mark.parametrize(
    "response",
    [
        *(httpx.Response(status, text="<html>") for status in (302, 408, 409, 418, 425, 499, 500, 502, 503, 504)),
        httpx.Response(200, json=reported("Problem processing request")),
        httpx.Response(200, json=reported("Upstream went away")),
        httpx.Response(200, json=reported("")),
        httpx.Response(200, json=reported("Nonsense", extensions={"code": "INTERNAL_SERVER_ERROR"})),
        httpx.Response(200, json={"errors": "odd"}),
        httpx.Response(200, json={"errors": [{"message": "Not Authorized"}, {"message": "Upstream went away"}]}),
        httpx.Response(200, json=reported("Not Authorized") | {"data": {"deploymentStop": True}}),
        httpx.Response(400, json=reported("Not Authorized") | {"data": {"deploymentStop": True}}),
        httpx.Response(500, json=reported("Not Authorized")),
        httpx.Response(200, json={"data": None}),
        httpx.Response(200, text="<html>"),
    ],
)
async def test_mutation_outcome_is_unknown_after_any_unclear_answer(response: httpx.Response) -> None:
    assert (await change_failure(response)).outcome_unknown


async def change_failure(response: httpx.Response) -> SourceError:
    call = transport(lambda _: response)
    with pytest.raises(SourceError) as raised:
        await call.change("mutation { stop }", {}, deadline=time.monotonic() + 60)
    await call.aclose()
    return raised.value


@pytest.mark.parametrize("trouble", [httpx.ConnectError("refused"), httpx.RemoteProtocolError("closed")])
async def test_unreachable_is_worth_another_try(trouble: httpx.HTTPError) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise trouble

    error = await failure(answer)

    assert "cannot be reached" in error.why
    assert error.retryable


async def test_answer_that_never_ends_is_given_up() -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    call = Transport(
        url="http://railway.test/graphql",
        token=Secret(TOKEN),
        token_kind=TokenKind.PROJECT,
        timeout_s=0.05,
        transport=httpx.MockTransport(answer),
    )

    with pytest.raises(SourceError, match=r"no answer within 0\.05 s"):
        await call.call("{ me }", {})


@pytest.mark.parametrize("token", ["line\nbreak", "ключ"])
async def test_token_that_no_header_can_hold_is_never_quoted(token: str) -> None:
    call = Transport(
        url="http://127.0.0.1:9/graphql",
        token=Secret(token),
        token_kind=TokenKind.PROJECT,
        timeout_s=1.0,
        transport=None,
    )

    with pytest.raises(SourceError) as raised:
        await call.call("{ me }", {})
    await call.aclose()

    assert token not in "".join(traceback.format_exception(raised.value))


async def test_deadline_is_checked_as_the_last_thing_before_the_bytes_leave() -> None:
    send_deadline = SendDeadline(time.monotonic() + 0.01)
    send_deadline.check()
    await send_deadline.trace("connection.connect_tcp.started", {})
    await asyncio.sleep(0.02)

    with pytest.raises(NothingDoneError, match="not sent"):
        await send_deadline.trace("http11.send_request_headers.started", {})
    assert not send_deadline.may_have_happened


async def test_query_may_leave_at_any_time() -> None:
    send_deadline = SendDeadline(None)

    await send_deadline.trace("connection.connect_tcp.started", {})
    assert not send_deadline.may_have_happened
    await send_deadline.trace("http11.send_request_headers.started", {})
    assert send_deadline.may_have_happened


async def test_railway_answer_has_no_characters_that_postgres_cannot_store() -> None:
    """Half an emoji or a NUL in a commit message would fail every statement that contains it."""
    body = b'{"data": {"message": "half \\ud83d", "lines": ["nul \\u0000", "whole \\ud83d\\ude00"]}}'

    data = await transport(lambda _: httpx.Response(200, content=body)).call("{ me }", {})

    assert data == {"message": "half \ufffd", "lines": ["nul \ufffd", "whole \U0001f600"]}
