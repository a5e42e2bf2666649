"""The sandbox's OpenAI, asked by our own client as the enforcement worker asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from services.clients.openai import OpenAIClient, Question
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.enforcement_worker.memo import INSTRUCTIONS, Memo, read_memo
from services.sandbox import openai
from services.sandbox.web_server import WebServer

QUESTION = Question(INSTRUCTIONS, "{}", Memo, max_output_tokens=500)


@pytest.fixture
async def base_url() -> AsyncIterator[str]:
    app = FastAPI()
    app.include_router(openai.build_router())
    server = WebServer(0)
    await server.serve(app)
    yield f"{server.url}{openai.PATH}"
    await server.stop()


def client(base_url: str, key: str) -> OpenAIClient:
    return OpenAIClient(api_key=Secret(key), base_url=base_url, model="m", timeout_s=20, max_retries=0)


async def test_its_memo_is_one_that_the_worker_lets_through(base_url: str) -> None:
    asking = client(base_url, openai.KEY)

    answer = await asking.ask(QUESTION)

    await asking.aclose()
    assert "Written by the sandbox" in read_memo(answer.text or "").summary
    assert answer.usage is not None


async def test_another_key_is_refused(base_url: str) -> None:
    asking = client(base_url, "sk-somebody-else")

    with pytest.raises(SourceError, match="key"):
        await asking.ask(QUESTION)

    await asking.aclose()
