"""Promotion proofs: production accepts only a signed, recent proof of another environment, for the same deploy."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from bot.commands.deploy import parse
from bot.commands.promote import answer_promote, need_promoted, promote_answer, proof_answer
from bot.config.environment import Settings
from bot.types import Answer, Request, Surface
from bot.views.run import run_message
from bot.views.runs import record_answer
from bot.world import World
from services.domain.errors import OperatorError, UsageError
from services.domain.promotion import VALID_FOR
from services.domain.runs import Record, Run, RunState, RunStep, StepState
from services.domain.secrets import Secret
from tests.runs import new_run

SHA = "8d02b64e1c3f5a7b9d0e2f4a6c8b0d1e3f5a7b9d"
NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
SECRET = Secret("s" * 24)


def deployed(**more: object) -> Run:
    """Staging's run 12, which deployed the commit an hour ago."""
    fields: dict[str, object] = {
        "environment": "staging",
        "playbook": "deploy",
        "parameters": {"service": "api", "sha": SHA},
        "state": RunState.SUCCEEDED,
        "ended_at": NOW - timedelta(hours=1),
    }
    return new_run(NOW - timedelta(hours=2), **(fields | more))


def step(state: StepState = StepState.DONE, note: str | None = None, position: int = 0) -> RunStep:
    return RunStep(
        run_id=12, position=position, step={}, state=state, intent=None, evidence=None, note=note, started_at=None,
        ended_at=None,
    )  # fmt: skip


PROVED = (step(note="live"), step(note="it reports 8d02b64e", position=1))


def proof_of(run: Run, secret: Secret = SECRET) -> str:
    """The argument of `promote`: the signed proof of the run."""
    data = proof_answer(run, PROVED, secret).data
    assert isinstance(data, dict)
    return str(data["line"]).removeprefix("promote ")


def taken(word: str, *, environment: str = "prod", now: datetime = NOW) -> Answer:
    return promote_answer(word, SECRET, environment, now=now)


def test_promote_offers_the_deploy_of_what_staging_proved_and_names_the_run() -> None:
    answer = taken(proof_of(deployed()))

    values = [one["value"] for block in answer.blocks if block["type"] == "actions" for one in block["elements"]]
    assert values == [f"deploy api {SHA} proof {proof_of(deployed())}"]
    assert "staging proved 8d02b64e" in answer.text
    assert "prod is not changed yet" in answer.text
    assert "/dragonfly run 12" in str(answer.blocks)


LINK = "https://acme.slack.com/archives/C0INCIDENTS/p1764500000000100"


@pytest.mark.parametrize("link", [LINK, None])
def test_promoted_run_links_its_proof(link: str | None) -> None:
    data = proof_answer(deployed(), PROVED, SECRET, link=link).data
    assert isinstance(data, dict)
    word = str(data["line"]).removeprefix("promote ")
    run = new_run(NOW, parameters={"service": "api", "sha": SHA, "proof": word})

    for shown in (taken(word), run_message(Record(run, (), (), ())), record_answer(Record(run, (), (), ()))):
        there = f"<{LINK}|run 12>" if link else "`/dragonfly run 12`"
        assert there in json.dumps(shown.blocks, ensure_ascii=False)


def test_deploy_takes_the_proof_of_its_own_commit_services_and_secret_only() -> None:
    settings = Settings.from_environment({"PROMOTION_SECRET": "s" * 24, "ENVIRONMENT": "prod", "SUPABASE_MODE": "prod"})
    ended_at = datetime.now(UTC) - timedelta(hours=1)
    word = proof_of(deployed(ended_at=ended_at))
    assert parse(("api", SHA, "proof", word)) == {"service": "api", "sha": SHA, "proof": word}

    need_promoted(word, settings, scope="api", sha=SHA[:8], now=datetime.now(UTC))
    forged = proof_of(deployed(ended_at=ended_at), Secret("t" * 24))
    for wrong, scope, sha, why in (
        (word, "workers", SHA, "another commit"),
        (word, "api", "a" * 40, "another commit"),
        (forged, "api", SHA, "was not signed with our"),
        (proof_of(deployed()), "api", SHA, "days old"),
    ):
        with pytest.raises(OperatorError, match=why):
            need_promoted(wrong, settings, scope=scope, sha=sha, now=datetime.now(UTC))


@pytest.mark.parametrize("words", [("api", SHA, "proof"), ("api", SHA, "proof", "x", "y"), ("api", SHA, "prove", "x")])
def test_deploy_refuses_words_that_are_no_proof(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        parse(words)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"playbook": "redeploy"}, "only a deploy proves"),
        ({"state": RunState.FAILED}, "is failed"),
        ({"state": RunState.RUNNING, "ended_at": None}, "is running"),
        ({"environment": "prod"}, "which nothing is promoted"),
        ({"parameters": {"service": "api", "sha": SHA[:8]}}, "in short"),
    ],
)
def test_proof_is_given_for_a_deploy_that_succeeded_outside_production_only(more: dict[str, object], why: str) -> None:
    with pytest.raises(OperatorError, match=why):
        proof_answer(deployed(**more), PROVED, SECRET)


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ((*PROVED, step(StepState.NOT_PROVED, "no answer", 2)), "step 3 of run 12 is not proved"),
        ((*PROVED, step(note="marked done by a person (U0OLIVIA001)", position=2)), "step 3 of run 12 is not proved"),
        ((*PROVED, step(StepState.SKIPPED, position=2)), "step 3 of run 12 is not proved"),
        ((), "steps of run 12 are not kept"),
    ],
)
def test_proof_is_given_only_when_each_step_was_read_back(steps: tuple[RunStep, ...], why: str) -> None:
    with pytest.raises(OperatorError, match=why):
        proof_answer(deployed(outcome="Done, and every step is proved."), steps, SECRET)


def test_promote_refuses_every_change_of_the_signed_line() -> None:
    """One character anywhere, another secret, or no signature at all."""
    word = proof_of(deployed())
    wrong = [word[:at] + ("0" if word[at] != "0" else "1") + word[at + 1 :] for at in range(len(word))]
    wrong += [word.rpartition(":")[0], f"{word}0", word.upper(), "", "staging", proof_of(deployed(), Secret("t" * 24))]

    for one in wrong:
        with pytest.raises(OperatorError, match="not a proof"):
            taken(one)


def test_promote_takes_nothing_from_its_own_environment() -> None:
    with pytest.raises(OperatorError, match="from staging itself"):
        taken(proof_of(deployed()), environment="staging")


def test_promote_counts_a_proof_for_seven_days() -> None:
    ended = NOW - timedelta(hours=1)
    word = proof_of(deployed())

    assert taken(word, now=ended + VALID_FOR).text
    with pytest.raises(OperatorError, match="7 days old"):
        taken(word, now=ended + VALID_FOR + timedelta(seconds=1))


def test_promote_refuses_a_proof_of_the_future() -> None:
    word = proof_of(deployed())
    ended = NOW - timedelta(hours=1)

    assert taken(word, now=ended - timedelta(minutes=5)).text
    with pytest.raises(OperatorError, match="clock"):
        taken(word, now=ended - timedelta(minutes=5, seconds=1))


async def test_promote_needs_the_secret_and_a_proof() -> None:
    request = Request(words=("staging:x",), surface=Surface.SLASH)
    without = World.from_settings(Settings.from_environment({"ENVIRONMENT": "prod", "SUPABASE_MODE": "prod"}))

    with pytest.raises(OperatorError, match="PROMOTION_SECRET"):
        await answer_promote(request, without)
    with pytest.raises(UsageError, match="Which proof"):
        await answer_promote(Request(words=(), surface=Surface.SLASH), without)


@pytest.mark.parametrize(("secret", "is_fine"), [("a" * 24, True), ("a" * 23, False)])
def test_settings_take_a_strong_secret_only(secret: str, is_fine: bool) -> None:
    faults = Settings.from_environment({"PROMOTION_SECRET": secret}).faults

    assert ("PROMOTION_SECRET" not in [fault.variable for fault in faults]) is is_fine
