"""Commands that machines may call: no argument, however strange, makes a decision or an emergency stop of one."""

from __future__ import annotations

import random

import pytest

from bot.changes import CHANGES, Change
from bot.commands.registry import REGISTRY, find
from bot.machines.catalogue import ARGUMENTS_LIMIT, is_offered, offered_verbs, parse_call, right_for
from services.domain.errors import UsageError
from services.domain.status import Risk
from tests.fuzzed_calls import fuzzed_call

ROUNDS = 10_000


def test_reads_questions_and_approved_changes_are_offered_and_nothing_else() -> None:
    names = {verb.name for verb in offered_verbs()}

    assert {"queue", "health", "logs", "ask", "deploy", "rollback", "run", "incident timeline"} <= names
    assert not names & {"stop-workers", "approve", "deny", "cancel", "review", "reveal", "start-alone", "silence"}
    assert not names & {"incident resolve", "incident ack", "oncall take", "drill", "env", "audit", "security-audit"}
    assert names & CHANGES.keys() == CHANGES.keys() - {"stop-workers"}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("incident", "resolve 7 it is over"),
        ("incident", "ack 7"),
        ("oncall", "take 2h"),
        ("stop-workers", "ingest"),
        ("run", "x" * (ARGUMENTS_LIMIT + 1)),
        ("logs", "ingest --raw"),
        ("logs", "ingest --raw=yes"),
        ("nothing", ""),
        ("", "queue"),
        ("queue deploy", "api 8d02b64e"),
        ("Queue", ""),
    ],
)
def test_parse_call_refuses_arguments_that_make_another_command(name: str, arguments: str) -> None:
    with pytest.raises(UsageError, match="Nothing was run"):
        parse_call(name, arguments)


def test_arguments_may_be_as_long_as_their_limit() -> None:
    assert parse_call("ask", "x" * ARGUMENTS_LIMIT)[0].name == "ask"


@pytest.mark.parametrize(("name", "right"), [("queue", "read"), ("ask", "ask"), ("deploy", "deploy")])
def test_the_policy_is_asked_for_the_right_of_its_kind(name: str, right: str) -> None:
    assert right_for(REGISTRY[name]) == right


def test_ten_thousand_fuzzed_calls_reach_offered_commands_only() -> None:
    rng = random.Random(16)  # noqa: S311 - the same calls each time
    accepted = 0

    for _ in range(ROUNDS):
        name, arguments = fuzzed_call(rng)
        try:
            verb, words = parse_call(name, arguments)
        except UsageError:
            continue
        accepted += 1
        assert is_offered(verb), (name, arguments)
        assert find(words)[0] is verb
        assert verb.is_read or (isinstance(verb, Change) and verb.risk is not Risk.BREAK_GLASS)

    assert accepted > ROUNDS / 10
