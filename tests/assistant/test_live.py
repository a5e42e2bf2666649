"""Measures a real model on the corpus (`-m live`, OPENAI_API_KEY): how often it is right, wrong and dropped."""

from __future__ import annotations

import os

import pytest

from services.clients.openai import OpenAIClient
from services.domain.model_prices import DEFAULT_MODEL
from services.domain.secrets import Secret
from tests.assistant.corpus import load_cases
from tests.assistant.measure import measure

TIMES = 3
pytestmark = [pytest.mark.live, pytest.mark.timeout(3600)]


@pytest.mark.skipif(
    not os.environ.get("OPENAI_API_KEY"),
    reason="asks a real model 65 questions three times, so it needs OPENAI_API_KEY; OPENAI_MODEL chooses the model",
)
async def test_a_real_model_is_never_confidently_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    client = OpenAIClient(
        api_key=Secret(os.environ["OPENAI_API_KEY"]),
        base_url=os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1"),
        model=os.environ.get("OPENAI_MODEL", DEFAULT_MODEL),
        timeout_s=20,
        max_retries=2,
    )

    measured = await measure(client, load_cases(), times=TIMES)
    await client.aclose()

    with capsys.disabled():
        print(f"\n{measured.line}")  # noqa: T201 - the result of the run
    assert measured.unanswered < measured.answers
    assert not measured.wrong
