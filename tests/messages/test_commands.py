"""Answers to typed commands: help, the start page, the bot's settings; `make golden` rewrites it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.commands.check_config import check_config_answer
from bot.commands.dispatch import run
from bot.commands.health import health_answer
from bot.commands.home import home_answer
from bot.commands.registry import REGISTRY
from bot.config.environment import Settings
from bot.incidents.assignments import Asked, Assignment
from bot.types import Request, Surface
from bot.views.interrupted import interrupted_message
from bot.world import World
from playbooks import check_config, health
from playbooks.health import Report
from playbooks.model import Status
from services.domain.deliveries import Interrupted
from services.domain.errors import Unavailable
from services.domain.freezes import Lock
from services.domain.people import Person
from services.domain.runs import Review, RunState
from services.domain.services import Service
from tests.messages.conftest import Compare
from tests.messages.render import answer_text, message_text
from tests.runs import new_run
from tests.unit.bot.incidents.builders import NOW, incident
from tests.unit.playbooks.healthy import HEALTHY
from tests.unit.playbooks.test_check_config import COMPLETE
from tests.unit.playbooks.test_diagnosis import CASES

NOWHERE = World.from_settings(Settings.from_environment({}))


async def test_help(golden: Compare) -> None:
    lines = ["help", "help wrong", "help see", "help change", *(f"help {name}" for name in REGISTRY)]
    golden("help", {line: answer_text(await run(line, Request(surface=Surface.SLASH), NOWHERE)) for line in lines})


def test_interrupted(golden: Compare) -> None:
    read = Interrupted("U1", "/dragonfly health", None, NOW, None, is_written=False)
    golden(
        "interrupted",
        {
            "nothing was saved": message_text(*interrupted_message(read)),
            "a run was filed": message_text(*interrupted_message(replace(read, words="/dragonfly scale", run_id=12))),
            "it was done": message_text(*interrupted_message(replace(read, is_written=True))),
            "it may have been done": message_text(
                *interrupted_message(replace(read, words="the button Approve, run 12", shown_by="run 12"))
            ),
        },
    )


def test_home(golden: Compare) -> None:
    report = Report("prod is healthy", Status.OK, (), ())
    one = new_run(NOW)
    lock = Lock(Service.API, "U1", "rolled back", NOW, run_id=7)
    review = (Review(12, Person("U1", "T1"), NOW), new_run(NOW, state=RunState.SUCCEEDED))
    away = Unavailable("database", "no answer within 5 s")
    texts = {
        "quiet": home_answer(report, None, waiting=(), locks=(), now=NOW),
        "a run waits": home_answer(report, None, waiting=[one], locks=[lock], now=NOW),
        "a review waits": home_answer(report, None, waiting=(), locks=(), reviews=[review], now=NOW),
        "database away": home_answer(report, None, waiting=away, locks=away, incidents=away, now=NOW),
    }
    for asked in Asked:
        mine = Assignment(incident(), asked)
        texts[f"incident, {asked}"] = home_answer(
            report, None, waiting=(), locks=(), incidents=[mine.incident], assignments=[mine], now=NOW
        )
    golden("home", {name: answer_text(answer) for name, answer in texts.items()})


def test_health(golden: Compare) -> None:
    texts = {"healthy": health.report(HEALTHY)}
    texts |= {"no bot runs": health.report(replace(HEALTHY, bot=None, bot_absence=timedelta(minutes=12)))}
    texts |= {name: health.report(case.facts.health) for name, case in CASES.items()}
    golden(
        "health",
        {name: answer_text(health_answer(report, moment=NOW, elapsed_ms=9)) for name, report in texts.items()},
    )


def test_check_config(golden: Compare) -> None:
    away = Unavailable("database", "no answer within 5 s")
    bare = replace(COMPLETE, operators=(), approvers=None, outside_targets=0, is_monitored=False, schedule=None)
    silent = replace(COMPLETE, sources={"database": away}, gaps={"scale": "no approver is configured", "deploy": away})
    texts = {"complete": COMPLETE, "bare": bare, "a source is silent": silent}
    golden(
        "check_config",
        {name: answer_text(check_config_answer(check_config.check(facts))) for name, facts in texts.items()},
    )
