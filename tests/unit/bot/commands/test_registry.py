"""Every command is found as people type it, and for a typo the nearest one is offered."""

import asyncio
import contextlib

import pytest

from bot.admission import AT_ONCE
from bot.commands.command import Command
from bot.commands.dispatch import run
from bot.commands.registry import BARE, REGISTRY, find
from bot.config.environment import Settings
from bot.types import Actor, Answer, Request, Surface
from bot.views.blocks import section
from bot.world import World
from services.domain.errors import OperatorError, UsageError

NO_SETTINGS = Settings.from_environment({})
OF_THIS_RELEASE = {
    "ask", "catchup", "incident draft",
    "home", "help", "health", "sha", "verify", "heartbeats", "failed-jobs", "queue", "throughput", "history", "intake",
    "deployments", "env", "logs", "migrations", "check-config", "security-audit", "prod-gate", "doctor", "preflight",
    "runs", "run", "audit", "why", "policy", "cancel", "report", "oncall", "oncall override", "oncall take",
    "oncall swap", "oncall note", "oncall calendar",
    "proof", "promote", "silence", "silences", "drill", "freeze", "lock", "unfreeze",
    "incident", "incident open", "incident ack", "incident escalate", "incident severity", "incident resolve",
    "incident todo", "incident done",
    "incident timeline", "incident similar", "incident export",
    "scale", "rollback", "deploy", "rollback-db", "restart", "redeploy", "requeue", "unlock", "stop-workers",
    "golden-path", "approve", "deny", "review", "start-alone", "reveal",
}  # fmt: skip


def test_has_every_command_of_this_release() -> None:
    assert set(REGISTRY) == OF_THIS_RELEASE


def test_every_command_explains_itself() -> None:
    assert [name for name, command in REGISTRY.items() if not command.summary or not command.examples] == []
    examples = [(command, example) for command in REGISTRY.values() for example in command.examples]
    assert [example for command, example in examples if find(example.split())[0] is not command] == []


@pytest.mark.parametrize("name", ["failed-jobs", "env", "logs", "help"])
def test_command_with_personal_data_answers_privately(name: str) -> None:
    assert REGISTRY[name].private


@pytest.mark.parametrize("words", [["FAILED-JOBS"], ["failed_jobs"], ["Failed", "jobs"]])
def test_a_verb_may_be_written_loosely(words: list[str]) -> None:
    assert find([*words, "2h"]) == (REGISTRY["failed-jobs"], ("2h",))


def test_no_words_run_the_bare_command() -> None:
    assert find([])[0].name == BARE


@pytest.mark.parametrize(("typo", "meant"), [("helth", "health"), ("hartbeat", "heartbeats"), ("que", "queue")])
def test_a_typo_gets_the_nearest_command(typo: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"Did you mean `{meant}`"):
        find([typo])


def test_an_unknown_verb_is_shown_harmless() -> None:
    with pytest.raises(UsageError, match=r"no command `&lt;!channel&gt;[^`]`"):
        find(["<!channel>`"])


async def test_an_answer_is_private_when_its_command_is() -> None:
    world = World.from_settings(NO_SETTINGS)

    answer = await run("help", Request(surface=Surface.SLASH), world)

    assert answer.private


async def test_an_answer_always_fits_into_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    async def too_much(_request: Request, _world: World) -> Answer:
        return Answer("t" * 9000, [section("x" * 2900) for _ in range(90)], None)

    command = Command(name="queue", summary="too much", group="Jobs", handle=too_much)
    monkeypatch.setitem(REGISTRY, "queue", command)
    world = World.from_settings(NO_SETTINGS)

    answer = await run("queue", Request(surface=Surface.SLASH), world)

    assert len(answer.text) <= 3900
    assert len(answer.blocks) <= 50
    assert len((await run("queue", Request(), world)).blocks) == 90, "a terminal has room"


@pytest.mark.parametrize(
    "line",
    [
        "queue now",
        "logs",
        "logs ingest --what",
        "logs ingest -n",
        "help frobnicate",
        "scale",
        "scale ingest",
        "scale ingest -1",
        "scale ingest 999",
        "scale nowhere 2",
        "scale ingest 2 3",
        "scale ingest 2.5",
        "scale ingest ²",
        "rollback",
        "rollback api to",
        "rollback api to x",
        "rollback nothing to 8d02b64e",
        "deploy api",
        "deploy api main",
        "rollback-db",
        "rollback-db 2025",
        "restart",
        "restart workers",
        "redeploy",
        "requeue",
        "unlock api",
        "stop-workers api now",
        "run",
        "run x",
        "run -1",
        "audit verify xyz",
        "cancel",
        "why",
        "policy",
        "policy explain",
        f"unlock api {'x' * 400}",
    ],
)
async def test_words_that_do_not_fit_are_refused(line: str) -> None:
    with pytest.raises(UsageError):
        await run(line, Request(), World.from_settings(NO_SETTINGS))


async def test_help_of_a_family_names_its_members() -> None:
    answer = await run("help incident", Request(), World.from_settings(NO_SETTINGS))

    assert "`incident resolve [id] &lt;cause&gt;`" in str(answer.blocks)


async def test_the_words_of_the_help_are_marked_as_code_where_one_types_them() -> None:
    answer = await run("help all", Request(), World.from_settings(NO_SETTINGS))

    assert "`silence end 5`" in str(answer.blocks)


@pytest.mark.parametrize("topic", ["", "logs", "jobs", "failed jobs"])
async def test_help_answers_each_topic(topic: str) -> None:
    answer = await run(f"help {topic}", Request(), World.from_settings(NO_SETTINGS))

    assert answer.private
    assert answer.blocks


@pytest.mark.parametrize(
    ("system", "services"),
    [("runbook", "`api`, `ingest`, `enforcement`."), ("civil", "`api`, `ingest`, `enforcement`, `simplicity`.")],
)
async def test_help_names_the_services_of_the_operated_system(system: str, services: str) -> None:
    world = World.from_settings(Settings.from_environment({"OPERATED_SYSTEM": system}))

    assert services in str((await run("help", Request(surface=Surface.SLASH), world)).blocks)


async def test_a_read_takes_no_slot_of_decisions_and_a_decision_none_of_reads() -> None:
    """Two people who send many `help` requests must not delay `incident ack`."""
    world = World.from_settings(NO_SETTINGS)
    request = Request(surface=Surface.SLASH, actor=Actor("U0OLIVIA", "T1"))
    async with contextlib.AsyncExitStack() as held, asyncio.timeout(30):
        for number in range(8):
            await held.enter_async_context(world.decisions.admit(f"U{number}"))
        assert (await run("help", request, world)).blocks
    async with contextlib.AsyncExitStack() as held, asyncio.timeout(30):
        for number in range(AT_ONCE):
            await held.enter_async_context(world.questions.admit(f"U{number}"))
        with pytest.raises(OperatorError):
            await run("approve 1", request, world)
