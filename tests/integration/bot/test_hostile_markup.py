"""No answer to Slack has a mention, a link, an emoji or a format that came from other people's text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from bot.types import Answer
from bot.views.external_deploys import Shown, on_its_way
from bot.views.freezes import past_freezes
from bot.world import World
from services.domain.deployments import Deployment, DeploymentStatus
from services.domain.services import Service
from tests.canaries import HostileOutside
from tests.conftest import DatabaseUrls
from tests.freezes import new_freeze
from tests.integration.bot.test_canaries import ask, lines_to_type
from tests.integration.bot.test_canaries import world as world

HOSTILE = (
    "<!channel> <@U0VICTIM001> :red_circle: *bold* _wide_ ~gone~ `x <https://evil.example|good> http://evil.example"
)
PIECES = (
    "<!channel>",
    "<@U0VICTIM001>",
    ":red_circle:",
    "*bold*",
    "_wide_",
    "~gone~",
    "<https:",
    "://evil.example",
)


class HostileRailway(HostileOutside):
    """A Railway whose deployments have hostile commit messages."""

    def _data(self, document: str) -> dict[str, Any]:
        data = super()._data(document)
        for meta in _metas(data):
            meta |= {"commitMessage": f"Fix {HOSTILE}", "commitAuthor": f"Ann {HOSTILE}"}
        return data


def _metas(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if isinstance(value.get("meta"), dict):
            yield value["meta"]
        for one in value.values():
            yield from _metas(one)
    if isinstance(value, list):
        for one in value:
            yield from _metas(one)


@pytest.fixture
def outside() -> HostileOutside:
    return HostileRailway()


@pytest.fixture
def _failed(database_urls: DatabaseUrls) -> None:
    with psycopg.connect(database_urls.owner, autocommit=True) as conn:
        conn.execute("DELETE FROM ops.job_queue WHERE status = 'failed'")
        conn.execute(
            "INSERT INTO ops.job_queue (job_type, status, error_message) VALUES (%s, 'failed', %s)",
            [f"simplicity_ingest {HOSTILE}", f"boom {HOSTILE}"],
        )
        conn.execute(
            "INSERT INTO ops.worker_heartbeats (worker_id, worker_type, status) VALUES (%s, %s, 'running')",
            [f"ingest {HOSTILE}", "ingest_processor"],
        )


def parsed(value: object) -> Iterator[str]:
    """Return every text of an answer that Slack parses for markup: outside code spans."""
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield "".join(value["text"].split("`")[::2])
        elif value.get("type") == "plain_text":
            yield value["text"].replace("<", "&lt;")  # Slack parses only emoji in it
        for one in value.values():
            yield from parsed(one)
    if isinstance(value, list):
        for one in value:
            yield from parsed(one)


@pytest.mark.usefixtures("_failed")
async def test_no_answer_parses_what_others_wrote(world: World) -> None:
    found, shown = {}, ""
    for line in lines_to_type():
        answer = await ask(line, world)
        if isinstance(answer, Answer):
            texts = "\n".join([*parsed(list(answer.blocks)), "".join(answer.text.split("`")[::2])])
            shown += texts
            if leaked := [piece for piece in PIECES if piece in texts]:
                found[line] = leaked, [text for text in texts.splitlines() if leaked[0] in text]

    assert found == {}
    assert "Ann &lt;!channel&gt;" in shown  # an author was shown,
    assert "boom &lt;!channel&gt;" in shown  # and so was the error of a job


@pytest.mark.parametrize("is_settled", [False, True])
def test_external_deployment_message_escapes_the_commit(is_settled: bool) -> None:
    now = datetime(2025, 12, 20, tzinfo=UTC)
    made_by = Deployment("d", DeploymentStatus.SUCCESS, now, commit_message=HOSTILE, author=HOSTILE)
    about = Shown("dev", [Service.API], "api", "a1b2c3d4" * 5, made_by, now)

    text, blocks = on_its_way(about, is_settled=is_settled)

    texts = "\n".join([*parsed(blocks), text])
    assert "committed by &lt;!channel&gt;" in texts
    assert [piece for piece in PIECES if piece in texts] == []


def test_notice_of_a_deployment_past_a_freeze_escapes_author_and_reason() -> None:
    now = datetime(2025, 12, 20, tzinfo=UTC)
    made = Deployment("d", DeploymentStatus.SUCCESS, now, commit_sha=HOSTILE, commit_message=HOSTILE, author=HOSTILE)

    content = past_freezes([new_freeze(now, reason=HOSTILE, owner_name=HOSTILE)], [Service.API], made)

    texts = "\n".join([*parsed(list(content.blocks)), "".join(content.text.split("`")[::2])])
    assert "committed by &lt;!channel&gt;" in texts
    assert [piece for piece in PIECES if piece in texts] == []
