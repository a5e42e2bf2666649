"""The corpus against a real model (`-m live`, OPENAI_API_KEY): a table of how often it is right, wrong, and dropped."""

from __future__ import annotations

import os
import time
from decimal import Decimal
from statistics import quantiles

import pytest

from bot.assistant.answerer import Answerer
from bot.assistant.check import ClaimKind
from bot.assistant.model import NoModelAnswerError, text_of
from services.clients.openai import OpenAIClient, Question
from services.domain.model_prices import DEFAULT_MODEL, prices_of
from services.domain.secrets import Secret
from services.domain.systems import RUNBOOK
from tests.assistant.corpus import load_cases

TIMES = 3
pytestmark = [pytest.mark.live, pytest.mark.timeout(3600)]


@pytest.mark.skipif(not os.environ.get("OPENAI_API_KEY"), reason="needs OPENAI_API_KEY")
async def test_a_real_model_is_never_confidently_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """Confidently wrong: an observed claim where the case has nothing wrong. The check leaves room for no other."""
    model = os.environ.get("OPENAI_MODEL", DEFAULT_MODEL)
    base_url = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1")
    client = OpenAIClient(
        api_key=Secret(os.environ["OPENAI_API_KEY"]), base_url=base_url, model=model, timeout_s=20, max_retries=2
    )
    prices = prices_of(model)
    usd, took, right, wrong, dropped, stated = Decimal(0), [], 0, [], 0, 0

    async def ask(question: Question) -> str:
        nonlocal usd
        answer = await client.ask(question)
        usd += prices.cost_of(answer.usage or question.most_tokens) if prices else Decimal(0)
        return text_of(answer)

    async def step(words: str) -> None:
        """Not shown."""

    async def is_stopped() -> bool:
        return False

    cases = load_cases()
    for case in cases * TIMES:
        began = time.monotonic()
        try:
            part = await Answerer(ask, case.run_read, step, is_stopped, RUNBOOK).answer(case.question, None)
        except NoModelAnswerError:
            continue
        took.append(time.monotonic() - began)
        texts = " ".join(one.claim.quote + one.claim.text for one in part.checked.proved)
        right += all(cause in texts for cause in case.causes)
        if (
            not case.causes
            and not case.unknown
            and any("🔴" in line.text for p in part.checked.proved for line in p.lines)
        ):
            wrong.append(case.name)
        dropped += len(part.checked.dropped)
        stated += sum(one.claim.kind is not ClaimKind.UNKNOWN for one in part.checked.proved)
    await client.aclose()

    total = len(cases) * TIMES
    with capsys.disabled():
        print(f"\n{model}: right {right} of {total}, confidently wrong {len(wrong)}, claims {stated},"  # noqa: T201
              f" dropped {dropped}, {usd} USD, p95 {quantiles(took, n=20)[-1]:.1f} s")  # fmt: skip
    assert not wrong
