"""The client against a local server that speaks OpenAI's API."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from services.clients.openai import Answer, OpenAIClient, Question
from services.domain.errors import SourceError
from services.domain.model_prices import Usage
from services.domain.secrets import Secret
from tests.openai_server import OpenAIServer, Posted, response

KEY = "sk-canary-key"


class Thing(BaseModel):
    """The structured answer that the tests ask for."""

    model_config = ConfigDict(extra="forbid")

    a: int


QUESTION = Question("Be brief.", '{"a": 1}', Thing, max_output_tokens=50)


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer().serve() as running:
        yield running


async def ask(server: OpenAIServer, *, timeout_s: float = 20.0, max_retries: int = 0, model: str = "m-1") -> Answer:
    client = OpenAIClient(
        api_key=Secret(KEY), base_url=server.base_url, model=model, timeout_s=timeout_s, max_retries=max_retries
    )
    try:
        return await client.ask(QUESTION)
    finally:
        await client.aclose()


async def test_asks_for_structured_output_and_counts_tokens(server: OpenAIServer) -> None:
    server.speak = lambda _: Posted(response("{}"))

    answer = await ask(server)

    assert answer == Answer("{}", None, Usage(400, 100))
    sent = json.loads(server.requests[0])
    schema = sent.pop("text")["format"]
    assert sent == {
        "model": "m-1",
        "instructions": "Be brief.",
        "input": '{"a": 1}',
        "max_output_tokens": 50,
        "store": False,
    }
    assert (schema["type"], schema["name"], schema["strict"]) == ("json_schema", "Thing", True)
    assert schema["schema"]["required"] == ["a"]
    assert schema["schema"]["additionalProperties"] is False
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(("model", "reasoning"), [("gpt-6-luna", {"effort": "none"}), ("gpt-4o-mini", None)])
async def test_a_model_that_reasons_is_asked_not_to_and_no_other_gets_the_field(
    server: OpenAIServer, model: str, reasoning: dict[str, str] | None
) -> None:
    server.speak = lambda _: Posted(response("{}"))

    await ask(server, model=model)

    assert json.loads(server.requests[0]).get("reasoning") == reasoning


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (response("{}", refusal="I cannot"), "the model declined"),
        (
            response("{", status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            "the answer was cut off",
        ),
        (
            response("{", status="incomplete", incomplete_details={"reason": "content_filter"}),
            "the answer is empty",
        ),
        (response(""), "the answer is empty"),
        (response("{}", output=[]), "the answer is empty"),
        (response("{}", output=[{"id": "rs_1", "type": "reasoning", "summary": []}]), "the answer is empty"),
    ],
)
async def test_an_answer_without_usable_text_is_paid_for_all_the_same(
    server: OpenAIServer, body: dict[str, Any], why: str
) -> None:
    server.speak = lambda _: Posted(body)

    assert await ask(server) == Answer(None, why, Usage(400, 100))


async def test_text_that_does_not_fit_the_schema_is_left_to_its_reader(server: OpenAIServer) -> None:
    server.speak = lambda _: Posted(response("no JSON"))

    assert await ask(server) == Answer("no JSON", None, Usage(400, 100))


async def test_usage_that_is_not_reported_is_unknown(server: OpenAIServer) -> None:
    server.speak = lambda _: Posted(response("{}", usage=None))

    assert await ask(server) == Answer("{}", None, None)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>not JSON</html>",
        b"\xff\xfe",
        "[]",
        "null",
        {},
        response("{}", output=None),
        response("{}", output="many"),
        response({"an": "object"}),
        response("{}", usage={"input_tokens": -1, "output_tokens": 1}),
        response("{}", usage={"input_tokens": "400", "output_tokens": 1}),
        response("{}", usage={"input_tokens": 10**12, "output_tokens": 1}),
        response("x" * 1_100_000),
    ],
    ids=lambda body: str(body)[:40],
)
async def test_an_answer_of_another_shape_is_no_answer(server: OpenAIServer, body: object) -> None:
    server.speak = lambda _: Posted(body)

    with pytest.raises(SourceError, match="cannot be understood") as reported:
        await ask(server)

    assert not reported.value.retryable


@pytest.mark.parametrize(
    ("status", "why", "retryable"),
    [
        (401, "it refused the key", False),
        (403, "the key may not use this model", False),
        (404, "it knows no such model or address", False),
        (400, "it answered 400", False),
        (429, "its rate limit or quota is used up", True),
        (500, "it answered 500", True),
        (503, "it answered 503", True),
    ],
)
async def test_reports_why_without_the_key_or_the_question(
    server: OpenAIServer, status: int, why: str, retryable: bool
) -> None:
    server.speak = lambda body: Posted({"error": {"message": f"{KEY} {body}", "type": "x", "code": KEY}}, status=status)

    with pytest.raises(SourceError) as reported:
        await ask(server)

    assert (reported.value.why, reported.value.retryable, reported.value.http_status) == (why, retryable, status)
    assert reported.value.__cause__ is None
    assert reported.value.__suppress_context__


async def test_tries_again_what_may_pass(server: OpenAIServer) -> None:
    busy = Posted({}, status=429, headers={"Retry-After": "0.01"})
    replies = iter([Posted({}, status=503), busy, Posted(response("{}"))])
    server.speak = lambda _: next(replies)

    assert (await ask(server, max_retries=2)).text == "{}"
    assert len(server.requests) == 3


async def test_does_not_try_again_what_cannot_pass(server: OpenAIServer) -> None:
    server.speak = lambda _: Posted({}, status=401)

    with pytest.raises(SourceError):
        await ask(server, max_retries=2)

    assert len(server.requests) == 1


async def test_gives_up_on_a_service_that_reports_nothing(server: OpenAIServer) -> None:
    server.speak = lambda _: Posted(response("{}"), after_s=60)

    with pytest.raises(SourceError, match=r"no answer within 0\.3 s") as reported:
        await ask(server, timeout_s=0.3)

    assert reported.value.retryable
    assert reported.value.outcome_unknown


async def test_does_not_wait_longer_than_all_attempts_may_take(server: OpenAIServer) -> None:
    server.speak = lambda _: Posted({}, status=429, headers={"Retry-After": "100"})

    with pytest.raises(SourceError, match="its rate limit or quota is used up"):
        await ask(server, timeout_s=20, max_retries=2)

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("posted", "may_cost"),
    [
        *((Posted({}, status=status), False) for status in (400, 401, 403, 404, 409, 429, 500, 502, 503)),
        *((Posted({}, status=status), True) for status in (408, 504, 524)),
        (Posted("<html>"), True),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
async def test_reports_whether_the_service_may_want_money_without_an_answer(
    server: OpenAIServer, posted: Posted, may_cost: bool
) -> None:
    server.speak = lambda _: posted

    with pytest.raises(SourceError) as reported:
        await ask(server)

    assert reported.value.outcome_unknown is may_cost


async def test_reports_that_no_one_listens() -> None:
    no_one = OpenAIServer(base_url="http://127.0.0.1:1/v1")

    with pytest.raises(SourceError, match="it cannot be reached") as reported:
        await ask(no_one)

    assert not reported.value.outcome_unknown


IMPORTED_BY = """
import asyncio, sys, threading
import bot.assistant.prompts as prompts
from services.clients.openai import OpenAIClient, Question
from services.domain.errors import SourceError
from services.domain.secrets import Secret

imported_by = set()

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "openai":
            imported_by.add((name, threading.current_thread() is threading.main_thread()))

async def main():
    client = OpenAIClient(api_key=Secret("k"), base_url="http://127.0.0.1:1/v1", model="m", timeout_s=20, max_retries=0)
    question = Question("", "{}", prompts.ChosenReads, 100)
    results = await asyncio.gather(client.ask(question), client.ask(question), return_exceptions=True)
    await client.aclose()
    assert all(isinstance(one, SourceError) for one in results), results

sys.meta_path.insert(0, Watch())
asyncio.run(main())
assert imported_by
print(sorted(name for name, is_main in imported_by if is_main))
"""


def test_the_sdk_is_loaded_beside_the_loop_so_that_clicks_are_acknowledged_meanwhile() -> None:
    """It takes 0.5 s on an idle machine, and seconds on a busy one."""
    ended = subprocess.run([sys.executable, "-c", IMPORTED_BY], check=False, capture_output=True, text=True)

    assert (ended.stdout.strip(), ended.returncode) == ("[]", 0), ended.stderr
