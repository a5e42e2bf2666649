"""Setup: `init` asks and checks, `connect` creates Railway's webhook, `prove` tries a scratch project."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI

from bot.app import Bot
from bot.config.environment import Settings
from bot.railway.webhook import add_railway_hook
from bot.setup.env_file import read_env_file
from bot.wake_ups import WakeUps
from services.domain.errors import OperatorError
from services.domain.secrets import Secret
from services.domain.status import Status
from services.sandbox.slack import model
from services.sandbox.slack.actor import acting_as
from services.sandbox.slack.model import Message
from tests.integration.bot.setup.test_connect import Outside
from tests.integration.bot.setup.test_connect import outside as outside
from tests.integration.bot.setup.test_init import SECRETS, House, Typist, wrong
from tests.integration.bot.setup.test_init import house as house
from tests.integration.bot.setup.test_prove import PHRASE, Scratch, rollback_answers_oddly
from tests.integration.bot.setup.test_prove import scratch as scratch
from tests.outside import first_message
from tests.scenarios.conftest import STORY_S, shown
from tests.serving import serve

MOST_LINES = 200  # of the terminal; with more, it repeats a question forever


@dataclass
class Newcomer(Typist):
    """Types the known values of each variable, the next one at each question, and Enter for the others."""

    knows: dict[str, deque[str]] = field(default_factory=dict)

    async def ask(self, question: str, *, secret: bool = False) -> str:  # noqa: ARG002
        self.read.append(question)
        if len(self.read) > MOST_LINES:
            raise EOFError
        left = self.knows.get(question.split()[0].rstrip(":"))
        return left.popleft() if left else ""


async def test_newcomer_answers_a_wrong_token_again_and_starts_the_bot_with_the_file(house: House) -> None:
    knows = {name: deque([value]) for name, value in house.answers.items()} | {"Try": deque(["n"])}
    knows["SLACK_BOT_TOKEN"].appendleft("xapp-the-wrong-kind")
    newcomer = Newcomer(knows=knows)

    answer = await house.run(newcomer)

    assert wrong(answer) == {}
    terminal = "\n".join(newcomer.read)
    assert "SLACK_BOT_TOKEN" in terminal
    assert "Fix it and press Enter to answer again" in terminal
    assert not any(secret in terminal for secret in SECRETS)
    bot = Bot(Settings.from_environment({**read_env_file(house.file), "PORT": "0", "SIGN_AFTER_SECONDS": "300"}))
    await bot.start()
    try:
        assert await acting_as(house.workspace, model.OLIVIA.id).type(model.INCIDENTS_ID, "/dragonfly health") is None
        await first_message(
            lambda: answers(house), lambda one: "ok in" in shown(one) and "a1b2c3d4" in shown(one), timeout_s=STORY_S
        )
    finally:
        await bot.stop()


async def test_newcomer_makes_the_webhook_and_railway_reaches_the_bot_after_its_restart(outside: Outside) -> None:
    made = await outside.run("y")
    secret = read_env_file(outside.folder / ".env")["RAILWAY_WEBHOOK_SECRET"]
    assert "Settings → Webhooks → New webhook" in wrong(made)["webhook.secret"]
    assert "not know this" in wrong(await outside.run("y"))["webhook.test"]

    restarted = FastAPI()
    add_railway_hook(restarted, secrets=[Secret(secret)], environment_id="e", wake_up=WakeUps().webhook)
    async with serve(restarted) as url:
        tested = await outside.run("y", BOT_PUBLIC_URL=url)

    assert tested.status is Status.OK, wrong(tested)
    assert outside.sent[-1] == f"{url}/hooks/railway/{secret}"


async def test_newcomer_reads_the_plan_types_the_phrase_and_learns_where_railway_differs(scratch: Scratch) -> None:
    await scratch.run(dry_run=True)
    assert "from 1 to 2 and back" in "\n".join(scratch.console.read)
    with pytest.raises(OperatorError, match="the phrase"):
        await scratch.run("yes")
    assert not scratch.changes

    scratch.planted = lambda document, data: rollback_answers_oddly(scratch, document, data)
    answer = await scratch.run(PHRASE)

    assert set(wrong(answer)) == {"railway.rollback"}
    assert scratch.is_as_before


def answers(house: House) -> list[Message]:
    return [one for one in house.workspace.messages if one.bot_id is not None]
