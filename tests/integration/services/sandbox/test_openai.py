"""The sandbox's OpenAI, called by the product's own client as the enforcement worker calls it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from bot.assistant.catalogue import ReadVerb
from bot.assistant.check import check
from bot.assistant.draft import WrittenDraft, check_draft, draft_lines, entries_text
from bot.assistant.evidence import collect
from bot.assistant.prompts import WRITE, ChosenReads, WrittenAnswer, choose_text, read_reads, read_written, write_text
from services.clients.openai import OpenAIClient, Question
from services.domain.errors import SourceError
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK
from services.enforcement_worker.memo import INSTRUCTIONS, Memo, read_memo
from services.sandbox import openai
from services.sandbox.web_server import WebServer

QUESTION = Question(INSTRUCTIONS, "{}", Memo, max_output_tokens=500)


@pytest.fixture
async def base_url() -> AsyncIterator[str]:
    app = FastAPI()
    app.include_router(openai.build_router(thinks_s=0))
    server = WebServer(0)
    await server.serve(app)
    yield f"{server.url}{openai.PATH}"
    await server.stop()


def client(base_url: str, key: str) -> OpenAIClient:
    return OpenAIClient(api_key=Secret(key), base_url=base_url, model="m", timeout_s=20, max_retries=0)


async def test_sandbox_openai_memo_passes_the_workers_check(base_url: str) -> None:
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


async def test_sandbox_openai_script_passes_every_check_of_the_bot(base_url: str) -> None:
    """The reads, the claims and the draft of the demo's scripted model pass every check."""
    asking = client(base_url, openai.KEY)
    lines = collect([("heartbeats", "🔴 wrong: ingest is down (0 of 1)\n✅ enforcement 1 of 1 alive")])
    entries = draft_lines(
        {1: "last heartbeat of ingest", 2: "opened by an alert: ingest is down", 4: "level 1 is paged"}
    )

    async def posted(instructions: str, text: str, answer_type: type[BaseModel]) -> str:
        return (await asking.ask(Question(instructions, text, answer_type, 500))).text or ""

    chosen = read_reads(await posted("", choose_text("why is ingest slow?", None), ChosenReads), RUNBOOK)
    written = read_written(await posted(WRITE, write_text("why?", None, lines, may_read_more=True), WrittenAnswer))
    draft = check_draft(await posted("", entries_text(entries), WrittenDraft), entries)

    await asking.aclose()
    assert chosen is not None
    assert chosen[0].verb is ReadVerb.QUEUE
    assert written is not None
    checked = check([one.claim for one in written.claims], lines)
    assert [one.claim.text for one in checked.proved] == ["wrong: ingest is down (0 of 1)"]
    assert not checked.dropped
    assert draft is not None
    assert (set(draft.texts), draft.left_out, draft.dropped) == ({1, 2}, frozenset({4}), 0)
