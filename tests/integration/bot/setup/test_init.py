"""`init` against the local Slack, a real database, and Railway and the API as small servers."""

from __future__ import annotations

import contextlib
import stat
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from fastapi import FastAPI, Request

from bot.setup.init import Options, set_up
from bot.types import Answer
from services.domain.errors import OperatorError, UsageError
from services.domain.status import Status
from services.domain.systems import RUNBOOK
from services.sandbox.slack import model
from services.sandbox.slack.control import build_slack_router
from services.sandbox.slack.workspace import Workspace
from tests.conftest import DatabaseUrls
from tests.serving import no_proxy as no_proxy
from tests.serving import serve

SECRETS = ("xoxb-made-up", "xapp-made-up", "railway-made-up", "key-made-up")


@dataclass
class Typist:
    """Types these answers one after the other, then nothing more. `read`: everything that the terminal showed."""

    answers: deque[str] = field(default_factory=deque)
    is_person: bool = True
    read: list[str] = field(default_factory=list)

    def show(self, text: str) -> None:
        self.read.append(text)

    async def ask(self, question: str, *, secret: bool = False) -> str:  # noqa: ARG002
        self.read.append(question)
        if not self.answers:
            raise EOFError
        return self.answers.popleft()

    async def enter(self) -> None:
        return


@dataclass
class House:
    """All systems to which the bot is to be connected. `environ`: only the addresses of the stand-ins."""

    workspace: Workspace
    url: str
    folder: Path
    dsn: str
    project: str = "p-1"
    environment: str = "e-1"

    @property
    def environ(self) -> dict[str, str]:
        return {"SLACK_API_URL": f"{self.url}/slack/api/", "RAILWAY_API_URL": f"{self.url}/railway"}

    @property
    def answers(self) -> dict[str, str]:
        return {
            "SLACK_BOT_TOKEN": SECRETS[0],
            "SLACK_APP_TOKEN": SECRETS[1],
            "ENVIRONMENT": "dev",
            "SUPABASE_DB_URL": self.dsn,
            "RAILWAY_TOKEN": SECRETS[2],
            "DRAGONFLY_API_BASE": self.url,
            "DRAGONFLY_API_KEY": SECRETS[3],
            "DRAGONFLY_OPERATORS": model.OPERATORS.id,
            "DRAGONFLY_APPROVERS": f"{model.ANN.id},{model.BEN.id}",
        }

    @property
    def file(self) -> Path:
        return self.folder / ".env"

    async def run(self, console: Typist, *, overwrite: bool = False, **answers: str) -> Answer:
        """Run `init`, with a file of answers if the console is not a person."""
        given = None
        if not console.is_person:
            given = self.folder / "answers.env"
            given.write_text(
                "".join(f"{name}='{value}'\n" for name, value in (self.answers | answers).items() if value)
            )
        return await set_up(Options(self.file, given, overwrite), self.environ, console)


@pytest.fixture
async def house(tmp_path: Path, database_urls: DatabaseUrls) -> AsyncIterator[House]:
    with contextlib.closing(psycopg.connect(database_urls.superuser, autocommit=True)) as db:
        db.execute("INSERT INTO chatops.installation (environment, system) VALUES ('dev', %s)", [RUNBOOK.name])
    workspace, app = Workspace(), FastAPI()
    app.include_router(build_slack_router(workspace))
    made = House(workspace, "", tmp_path, database_urls.bot)

    @app.post("/railway")
    async def railway(request: Request) -> dict[str, object]:
        query = (await request.json())["query"]
        if "projectToken" in query:
            return {"data": {"projectToken": {"projectId": made.project, "environmentId": made.environment}}}
        return {"data": {"environment": {"name": "development"}}}

    @app.get("/api/health")
    async def health() -> dict[str, object]:
        return {
            "status": "ok",
            "environment": "dev",
            "git_sha": "a1b2c3d4",
            "db_connected": True,
            "timestamp": "2026-01-01T00:00:00Z",
        }

    async with serve(app) as url:
        workspace.base_url = made.url = url
        yield made
        await workspace.close()


def wrong(answer: Answer) -> dict[str, str]:
    found: list[dict[str, str]] = answer.data["findings"]  # type: ignore[index]
    return {one["check"]: f"{one['title']} {one['detail']}" for one in found if one["status"] != "ok"}


async def test_init_writes_a_file_for_its_owner_only_from_a_file_of_answers(house: House) -> None:
    house.file.write_text("# mine\nLOG_FORMAT=json\n")
    answer = await house.run(Typist(is_person=False))

    assert wrong(answer) == {}
    assert stat.S_IMODE(house.file.stat().st_mode) == 0o600
    lines = house.file.read_text().splitlines()
    assert lines[:2] == ["# mine", "LOG_FORMAT=json"]
    assert {"ENVIRONMENT=dev", "SUPABASE_MODE=dev", "SLACK_INCIDENTS_CHANNEL=dragonfly-incidents"} <= set(lines)
    assert {"RAILWAY_PROJECT_ID=p-1", "RAILWAY_ENVIRONMENT_ID=e-1"} <= set(lines)  # found by the token
    assert all(secret in house.file.read_text() for secret in SECRETS)
    shown = str(answer)
    assert not any(secret in shown for secret in (*SECRETS, house.dsn))


async def test_init_keeps_what_is_there_unless_it_may_overwrite(house: House) -> None:
    house.file.write_text("DRAGONFLY_API_BASE=http://127.0.0.1:1\n")

    kept = await house.run(Typist(is_person=False))
    before = house.file.read_text()
    replaced = await house.run(Typist(is_person=False), overwrite=True)

    assert "DRAGONFLY_API_BASE was not changed" in wrong(kept)["init.DRAGONFLY_API_BASE"]
    assert "DRAGONFLY_API_BASE=http://127.0.0.1:1" in before
    assert wrong(replaced) == {}
    assert f"DRAGONFLY_API_BASE={house.url}" in house.file.read_text()


async def test_init_refuses_each_wrong_answer_with_the_click_that_fixes_it(
    house: House, database_urls: DatabaseUrls
) -> None:
    """Wrong answers are not written; one run names all of them."""
    house.workspace.setup.scopes -= {"commands"}
    house.workspace.channels[model.INCIDENTS_ID].members.remove(model.BOT.id)
    answer = await house.run(
        Typist(is_person=False),
        SLACK_APP_TOKEN="xoxb-the-wrong-kind",
        SUPABASE_DB_URL=database_urls.app,
        RAILWAY_PROJECT_ID="p-2",
        DRAGONFLY_OPERATORS="S0UNKNOWN01",
        DRAGONFLY_APPROVERS="",
    )

    found = wrong(answer)
    assert "Add commands, then Reinstall" in found["slack.scopes"]
    assert "does not start with xapp-" in found["settings.SLACK_APP_TOKEN"]
    assert "/invite @dragonfly" in found["slack.channel"]
    assert "use the connection string of dragonfly_bot" in found["database.role"]
    assert "not for RAILWAY_PROJECT_ID" in found["railway.token"]
    assert "Copy group ID" in found["slack.group.S0UNKNOWN01"]
    assert "who may approve" in found["init.DRAGONFLY_APPROVERS"]
    written = house.file.read_text()
    assert not any(
        f"{name}=" in written
        for name in (
            "SLACK_BOT_TOKEN",
            "SLACK_APP_TOKEN",
            "SUPABASE_DB_URL",
            "DRAGONFLY_OPERATORS",
            "DRAGONFLY_APPROVERS",
        )
    )
    assert "xoxb-the-wrong-kind" not in str(answer)


async def test_init_names_the_other_environment_of_a_database(house: House) -> None:
    found = wrong(await house.run(Typist(is_person=False), ENVIRONMENT="prod"))

    assert "belongs to dev" in found["database.environment"]
    assert "ENVIRONMENT says prod" in found["database.environment"]


async def test_init_continues_after_an_abort_where_it_ended(house: House) -> None:
    """Typed: the first answer is wrong, the person corrects it; then the input ends. The next run asks for the rest."""
    first = Typist(deque(["xoxp-wrong", "", SECRETS[0], SECRETS[1]]))
    with pytest.raises(OperatorError, match="ended early"):
        await house.run(first)
    stored = house.file.read_text()

    rest = ["", "", "", "dev", house.dsn, SECRETS[2], house.url, "", model.OPERATORS.id, model.ANN.id, "n"]
    second = Typist(deque(rest))
    answer = await house.run(second)

    assert "does not start with xoxb-" in "\n".join(first.read)
    assert SECRETS[0] in stored
    assert "ENVIRONMENT" not in stored
    assert wrong(answer) == {}
    assert not second.answers
    assert not any(secret in "\n".join([*first.read, *second.read]) for secret in (*SECRETS, house.dsn))


async def test_init_asks_before_it_replaces_a_value(house: House) -> None:
    await house.run(Typist(is_person=False))
    typed = deque(["xoxb-other", "n", "", "", "", "", "", "", "", "", "", "", "", "n"])

    answer = await house.run(Typist(typed))

    assert wrong(answer) == {}
    assert f"SLACK_BOT_TOKEN={SECRETS[0]}" in house.file.read_text()


async def test_init_forgets_a_refused_answer_and_never_shows_a_secret_in_the_wrong_place(house: House) -> None:
    secrets_there = [f"postgresql://dragonfly_bot:made-up@db.example/{n}" for n in range(2)] + ["xoxb-of-another"]
    wrong_places = [word for secret in secrets_there for word in (secret, "")]
    typed = deque([SECRETS[0], SECRETS[1], *wrong_places, "nowhere", "", "", "dev"])
    console = Typist(typed)

    with pytest.raises(OperatorError, match="ended early"):
        await house.run(console)

    read = "\n".join(console.read)
    assert not any(secret in read for secret in secrets_there)
    assert "#nowhere was not found" in read
    assert "[nowhere]" not in read  # Enter takes the first offer, not the refused answer
    assert "SLACK_INCIDENTS_CHANNEL=dragonfly-incidents" in house.file.read_text()


async def test_init_is_unknown_while_a_service_is_away(house: House) -> None:
    house.workspace.faults.is_down = True

    answer = await house.run(Typist(is_person=False))

    assert answer.status is Status.UNKNOWN
    assert "SLACK_BOT_TOKEN" not in house.file.read_text()


async def test_init_refuses_a_file_of_answers_that_is_not_there(house: House) -> None:
    options = Options(house.file, house.folder / "nothing.env")

    with pytest.raises(UsageError, match="not a file"):
        await set_up(options, house.environ, Typist(is_person=False))

    assert not house.file.exists()
