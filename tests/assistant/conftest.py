"""A stand-in model server, and answers made with it in this process, without a bot or a database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from bot.assistant.answerer import Answerer, ModelPart, RunRead
from bot.assistant.model import text_of
from services.clients.openai import OpenAIClient, Question
from services.domain.incidents import Incident
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK
from tests.assistant import models
from tests.openai_server import OpenAIServer

Ask = Callable[[str, RunRead], Awaitable[ModelPart]]


@dataclass
class Wire:
    """The model server, a client for it, and the answers that they give."""

    server: OpenAIServer
    client: OpenAIClient
    steps: list[str] = field(default_factory=list)

    async def answer(
        self, question: str, run_read: RunRead, *, incident: Incident | None = None, total_s: float = 60.0
    ) -> ModelPart:
        async def ask(asked: Question) -> str:
            return text_of(await self.client.ask(asked))

        async def step(words: str) -> None:
            self.steps.append(words)

        async def is_stopped() -> bool:
            return False

        return await Answerer(ask, run_read, step, is_stopped, RUNBOOK, total_s=total_s).answer(question, incident)


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with OpenAIServer(models.right).serve() as server:
        client = OpenAIClient(api_key=Secret("k"), base_url=server.base_url, model="local", timeout_s=60, max_retries=0)
        yield Wire(server, client)
        await client.aclose()
