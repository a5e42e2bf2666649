"""The time from Railway's webhook to the message about a deployment's result, compared with a bot that only polls."""

from __future__ import annotations

import asyncio
import random
import time

import httpx
import psycopg
import pytest

from bot.config.timing import EvaluatorSettings
from services.domain.services import Service
from services.sandbox.slack import model
from services.sandbox.slack.model import Message
from services.sandbox.web_server import find_free_port
from tests.benchmarks.conftest import Stage
from tests.benchmarks.measuring import ms, percentile, show

FAILURES = 10
AIM_S = 1.0  # p99
POLLS_S = (EvaluatorSettings.railway_every_s, 60.0)
SECRET = "made-up-made-up-made-up-1"
EVENT = {"type": "Deployment.failed", "resource": {"environment": {"id": "e"}}}
PATIENCE_S = 120.0


@pytest.mark.benchmark
@pytest.mark.timeout(300)
async def test_people_are_reported_of_a_deployment_as_soon_as_railway_calls(stage: Stage) -> None:
    port = find_free_port()
    await stage.start_bot(RAILWAY_WEBHOOK_SECRET=SECRET, PORT=str(port))
    await _until_deployments_are_known(stage)
    async with httpx.AsyncClient(trust_env=False) as http:
        late = [await _fail(stage, http, port, number) for number in range(FAILURES)]

    p50, p99 = percentile(late, 50), percentile(late, 99)
    rows = [("ours, p50 / p99", f"{ms(p50)} / {ms(p99)}")]
    for every_s in POLLS_S:
        # A poll finds it after a delay spread evenly over its interval, and then has to send it.
        ratios = f"{p50 / (0.5 * every_s):.4f} x / {p99 / (0.99 * every_s):.4f} x"
        rows.append((f"against a poll every {every_s:.0f} s", ratios))
    show(f"From webhook to told, {FAILURES} failed deployments (aim: p99 at most {AIM_S:.0f} s)", *rows)
    assert p99 / AIM_S <= 2


async def _fail(stage: Stage, http: httpx.AsyncClient, port: int, number: int) -> float:
    """Return the seconds from Railway's call to Slack's time of the message about the deployment."""
    await asyncio.sleep(random.uniform(2.5, 4.5))  # noqa: S311 - notices are 2 s apart, and intervals must not align
    known = {message.ts for message in _verdicts(stage)}
    stage.outside.latest[Service.API] = {"id": f"d-{number}", "status": "FAILED"}
    called_at = time.time()
    answer = await http.post(f"http://127.0.0.1:{port}/hooks/railway/{SECRET}", json=EVENT)
    assert answer.status_code == 202
    async with asyncio.timeout(PATIENCE_S):
        while not (new := [message for message in _verdicts(stage) if message.ts not in known]):
            await asyncio.sleep(0.02)
    return float(new[0].ts) - called_at


def _verdicts(stage: Stage) -> list[Message]:
    bot = stage.workspace.bot.id
    own = [one for one in stage.workspace.messages if one.channel == model.INCIDENTS_ID and one.user == bot]
    return [message for message in own if "NOT deployed" in message.text]


async def _until_deployments_are_known(stage: Stage) -> None:
    """Wait until the bot has stored the first deployments, which it does not announce."""
    async with await psycopg.AsyncConnection.connect(stage.database.superuser, autocommit=True) as conn:
        async with asyncio.timeout(PATIENCE_S):
            while await (await conn.execute("SELECT 1 FROM chatops.rollout_deployments")).fetchone() is None:
                await asyncio.sleep(0.05)
