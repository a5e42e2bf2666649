"""The commands about state, run as typed, on a real database."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from bot.commands.dispatch import run
from bot.commands.registry import REGISTRY
from bot.types import Answer, Request
from bot.views.terminal import answer_text
from bot.world import World
from playbooks.checks.settings import DISABLED_BY
from playbooks.model import Status
from services.domain.errors import UsageError
from services.domain.services import Service
from services.sandbox.slack.limits import violations

if TYPE_CHECKING:
    from tests.integration.bot.conftest import Outside, System


LINES = ["health", "sha", "verify", "heartbeats", "env", "migrations", "check-config"]


async def ask(line: str, world: World) -> Answer:
    return await run(line, Request(), world)


@pytest.mark.parametrize("line", LINES)
async def test_every_answer_fits_into_slack_and_into_json(line: str, world: World, system: System) -> None:
    system.work()

    answer = await ask(line, world)

    assert not violations({"text": answer.text, "blocks": list(answer.blocks)}, surface="message")
    assert json.loads(json.dumps(answer.data))
    assert answer_text(answer)


@pytest.mark.parametrize("line", LINES)
async def test_every_command_answers_without_any_source(line: str, make_world: Callable[..., World]) -> None:
    world = make_world(None)
    world.railway = world.api = None

    answer = await ask(line, world)

    assert answer.status is not Status.OK
    assert "not configured" in answer_text(answer) or "is not set" in answer_text(answer)


async def test_health_reports_what_is_wrong_first_with_a_button(world: World, system: System) -> None:
    system.beat("enforcement-1", "enforcement_engine")

    answer = await ask("health", world)

    assert answer.text.splitlines()[0] == "🔴 *prod is not healthy: ingest is down (0 of 1)*"
    assert answer.blocks[1]["accessory"]["value"] == "restart ingest --through-zero"
    data: Any = answer.data
    assert data["elapsed_ms"] > 0


async def test_verify_takes_a_service_and_a_commit(world: World, system: System) -> None:
    system.work()

    assert (await ask("verify api a1b2c3d4", world)).status is Status.OK
    assert (await ask("verify workers", world)).status is Status.OK
    assert (await ask("verify 0DDBA110", world)).status is Status.FAIL


@pytest.mark.parametrize("line", ["verify nobody", "verify api zzz", "heartbeats api", "health now", "env api ingest"])
async def test_words_that_do_not_fit_are_refused(line: str, world: World) -> None:
    with pytest.raises(UsageError):
        await ask(line, world)


async def test_heartbeats_of_one_service(world: World, system: System) -> None:
    system.work()

    data: Any = (await ask("heartbeats ingest", world)).data

    assert [worker["worker_id"] for worker in data["workers"]] == ["ingest-1"]


async def test_env_is_private_and_shows_no_value(world: World, outside: Outside) -> None:
    outside.variables = {
        "SUPABASE_MODE": "prod",
        "ENVIRONMENT": "staging",
        "SUPABASE_DB_URL": "postgresql://u:canary@canary.test/x",
        "DRAGONFLY_API_KEY": "canary",
    }

    answer = await ask("env", world)

    assert answer.private
    shown = repr(answer)
    assert "canary" not in shown
    assert "SUPABASE_URL is missing" in shown
    assert "SUPABASE_MODE and Railway's environment and the bot against ENVIRONMENT" in shown


async def test_env_compares_start_commands_with_the_procfile(world: World, outside: Outside) -> None:
    data: Any = (await ask("env api", world)).data
    found = {finding["check"]: finding["status"] for finding in data["findings"]}

    assert outside.replicas[Service.API] == 1
    assert found["env.api.start_command"] == "ok"


async def test_check_config_names_a_query_that_does_not_fit(world: World, system: System) -> None:
    system.run("ALTER TABLE ops.worker_heartbeats RENAME COLUMN git_sha TO commit")

    answer = await ask("check-config", world)

    assert answer.private
    assert 'column "git_sha" does not exist — needed by list_heartbeats' in answer_text(answer)
    assert "git_sha" in answer_text(answer)


def test_every_disabled_command_exists() -> None:
    assert {name for names in DISABLED_BY.values() for name in names} <= set(REGISTRY)


UNREADABLE = {
    "silences": ("planned_silences", "silences unknown"),
    "runs": ("runs", "runs unknown"),
    "why heartbeats.ingest": ("silences", "decisions about heartbeats.ingest unknown"),
    "incident": ("incident_alerts", "incidents unknown"),
    "home": ("freezes", "frozen is unknown"),
}


async def test_a_list_of_which_a_part_cannot_be_read_is_unknown_and_not_shorter(world: World, system: System) -> None:
    for line, (table, words) in UNREADABLE.items():
        system.run(f"REVOKE SELECT ON chatops.{table} FROM dragonfly_bot")  # noqa: S608 - ours
        try:
            answer = await ask(line, world)
        finally:
            system.run(f"GRANT SELECT ON chatops.{table} TO dragonfly_bot")

        assert words in answer_text(answer), line
        assert line == "home" or answer.status is Status.UNKNOWN, line
