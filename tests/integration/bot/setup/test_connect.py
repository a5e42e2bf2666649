"""`connect` against a small Railway that really posts to the bot's own hook."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from bot.railway.webhook import add_railway_hook
from bot.setup.connect import Options, connect, connect_webhook
from bot.setup.env_file import read_env_file
from bot.types import Answer
from bot.wake_ups import WakeUps
from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from services.domain.status import Status
from tests.integration.bot.setup.test_init import Typist, wrong
from tests.serving import no_proxy as no_proxy
from tests.serving import serve

KNOWN = "k" * 32


@dataclass
class Outside:
    """`sent`: the addresses that Railway posted to."""

    url: str
    folder: Path
    railway: dict[str, Any] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)

    async def run(self, *answers: str, yes: bool = False, **more: str) -> Answer:
        file = self.folder / ".env"
        environ = {
            "RAILWAY_TOKEN": "t",
            "RAILWAY_PROJECT_ID": "p",
            "RAILWAY_ENVIRONMENT_ID": "e",
            "RAILWAY_API_URL": f"{self.url}/railway",
            "BOT_PUBLIC_URL": self.url,
            **read_env_file(file),
            **more,
        }
        return await connect_webhook(Options(file, yes), environ, Typist(deque(answers)))


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[Outside]:
    app = FastAPI()
    add_railway_hook(app, secrets=[Secret(KNOWN)], environment_id="e", wake_up=WakeUps().webhook)
    made = Outside("", tmp_path)

    @app.post("/railway")
    async def railway(request: Request) -> dict[str, Any]:
        asked = (await request.json())["variables"]
        made.sent.append(asked["url"])
        async with httpx.AsyncClient() as http:
            answer = await http.post(asked["url"], content=asked["payload"])
        return made.railway or {"data": {"webhookTest": answer.status_code}}

    async with serve(app) as url:
        made.url = url
        yield made


async def test_connect_makes_a_secret_once_and_then_tests_it(outside: Outside) -> None:
    first = await outside.run("y")
    made = read_env_file(outside.folder / ".env")["RAILWAY_WEBHOOK_SECRET"]
    second = await outside.run("y")

    assert first.status is Status.WARN
    assert "Settings → Webhooks → New webhook" in wrong(first)["webhook.secret"]
    assert made not in f"{first}{second}"
    assert read_env_file(outside.folder / ".env")["RAILWAY_WEBHOOK_SECRET"] == made
    assert "not know this" in wrong(second)["webhook.test"]  # the bot was not restarted with it
    assert outside.sent == [f"{outside.url}/hooks/railway/{made}"]


async def test_connect_is_fine_once_railway_reaches_the_bot(outside: Outside) -> None:
    answer = await outside.run(yes=True, RAILWAY_WEBHOOK_SECRET=KNOWN)

    assert answer.status is Status.OK
    assert KNOWN not in str(answer)
    assert not (outside.folder / ".env").exists()


async def test_blank_variable_of_the_shell_does_not_hide_the_secret_of_the_file(outside: Outside) -> None:
    """`set -a; . .env` exports the blank lines of a copied .env.example."""
    file = outside.folder / ".env"
    file.write_text(f"RAILWAY_WEBHOOK_SECRET={KNOWN}\n")
    environ = {
        "RAILWAY_TOKEN": "t",
        "RAILWAY_PROJECT_ID": "p",
        "RAILWAY_ENVIRONMENT_ID": "e",
        "RAILWAY_API_URL": f"{outside.url}/railway",
        "BOT_PUBLIC_URL": outside.url,
    }

    for blank in ("", " "):
        answer = await connect(["--file", str(file), "--yes"], {**environ, "RAILWAY_WEBHOOK_SECRET": blank})

        assert answer.status is Status.OK
    assert file.read_text() == f"RAILWAY_WEBHOOK_SECRET={KNOWN}\n"


async def test_connect_is_unknown_when_railway_does_not_say(outside: Outside) -> None:
    outside.railway = {"errors": [{"message": "Not Authorized"}]}

    answer = await outside.run(yes=True, RAILWAY_WEBHOOK_SECRET=KNOWN)

    assert answer.status is Status.UNKNOWN


async def test_connect_names_a_status_that_is_not_the_bots(outside: Outside) -> None:
    outside.railway = {"data": {"webhookTest": 502}}

    assert "gets 502" in wrong(await outside.run(yes=True, RAILWAY_WEBHOOK_SECRET=KNOWN))["webhook.test"]


async def test_connect_does_nothing_unless_it_is_confirmed(outside: Outside) -> None:
    with pytest.raises(OperatorError, match="not confirmed"):
        await outside.run("n", RAILWAY_WEBHOOK_SECRET=KNOWN)
    with pytest.raises(OperatorError, match="not confirmed"):
        await outside.run("")

    assert outside.sent == []
    assert not (outside.folder / ".env").exists()


async def test_connect_needs_the_bots_address(outside: Outside) -> None:
    with pytest.raises(OperatorError, match="BOT_PUBLIC_URL"):
        await outside.run("y", BOT_PUBLIC_URL="")
