"""Rules about requests may name channels; those about approvals have none."""

from __future__ import annotations

import pytest

from bot.config.behavior import PeopleSettings
from bot.config.fields import Invalid
from bot.config.policy import ASK, Policy, Right, Target
from bot.config.policy_file import read_policy

PEOPLE = PeopleSettings.model_validate({"DRAGONFLY_OPERATORS": "U0OLIVIA"})
RULE = 'version = 1\n[[allow]]\nmay = "request"\nwho = ["operators"]\n'


def read(text: str) -> Policy | Invalid:
    return read_policy(text.encode(), "policy.toml", PEOPLE)


def is_allowed(text: str, verb: str, channel: str | None) -> bool:
    policy = read(text)
    assert isinstance(policy, Policy)
    target = Target(verb, frozenset(), "prod", channel=channel)
    return bool(policy.about(Right.REQUEST, target, None, denies=False))


@pytest.mark.parametrize(
    ("channel", "allowed"), [("C0OPS", True), ("C0OTHER", False), ("D0OLIVIA", True), (None, False)]
)
def test_a_rule_with_channels_is_about_these_only(channel: str | None, allowed: bool) -> None:
    text = RULE + 'verbs = ["ask"]\nchannels = ["C0OPS", "direct"]\n'

    assert is_allowed(text, ASK, channel) is allowed


@pytest.mark.parametrize("channel", ["C0OPS", "D0OLIVIA", None])
def test_a_rule_without_channels_is_about_all(channel: str | None) -> None:
    assert is_allowed(RULE, ASK, channel)


def test_an_empty_list_is_about_none() -> None:
    assert not is_allowed(RULE + 'verbs = ["ask"]\nchannels = []\n', ASK, "C0OPS")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            '\n[[allow]]\nmay = "approve"\nwho = ["operators"]\nchannels = ["C0OPS"]\n',
            "`channels` is for requests only",
        ),
        ('verbs = ["ask"]\nchannels = ["#ops"]\n', "`channels` names `?ops`, which does not exist"),
    ],
)
def test_mistakes_name_their_line(more: str, problem: str) -> None:
    found = read(RULE + more)

    assert isinstance(found, Invalid)
    assert problem in str(found.faults[0])
    assert "line" in found.faults[0].variable
