"""`help` marks the commands that the person may not use, and names who may, without mentioning them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.changes import CHANGES
from bot.commands.command import Marks
from bot.commands.help import help_for, list_answer, mark_words
from bot.commands.help_marks import marks_of
from bot.commands.registry import REGISTRY
from bot.config.behavior import PeopleSettings
from bot.config.policy import Policy
from bot.config.policy_file import read_policy
from bot.people import Account, Members, People
from bot.types import Surface
from services.domain.errors import Unavailable
from services.domain.people import Person, Profile

OLIVIA, OTTO, ANN = (Person(user, "T1") for user in ("U0OLIVIA", "U0OTTO", "U0ANN"))
ACCOUNTS = {one.user_id: Account(Profile(team_id="T1")) for one in (OLIVIA, OTTO, ANN)}
OPERATORS = Members(frozenset({"U0OLIVIA"}), timedelta())
NAMES = {"S0OPS": "@ops", "U0ANN": "Ann Keller"}
BASE = '[[allow]]\nmay = "request"\nwho = ["operators"]\n[[allow]]\nmay = "approve"\nwho = ["approvers"]\n'


def marks(person: Person, rules: str = BASE, members: Members | Unavailable = OPERATORS) -> Marks:
    people = PeopleSettings(operators=("S0OPS",), approvers=("U0ANN",))
    policy = read_policy(f"version = 1\n{rules}".encode(), "policy.toml", people)
    assert isinstance(policy, Policy), policy
    return marks_of(person, "prod", policy, People("T1", {"S0OPS": members}, ACCOUNTS), lambda one: NAMES.get(one, ""))


def test_help_names_the_permitted_people_to_a_person_without_rights() -> None:
    found = marks(OTTO)

    assert found.keys() == {*CHANGES, "silence", "drill", "freeze", "lock", "approve", "review", "start-alone"}
    assert (found["restart"], found["approve"]) == ("@ops", "Ann Keller")


def test_help_does_not_mark_conditionally_allowed_commands() -> None:
    assert marks(OLIVIA).keys() == {"approve", "review", "start-alone"}
    for condition in ('services = ["api"]', 'hours = ["sat 01:00-02:00"]', 'channels = ["C0X"]', 'severity = ["sev1"]'):
        rule = f'[[allow]]\nmay = "request"\nwho = ["U0OTTO"]\nverbs = ["restart"]\n{condition}\n'
        assert "restart" not in marks(OTTO, BASE + rule), condition
    assert "restart" in marks(OTTO, f'{BASE}[[allow]]\nmay = "request"\nwho = ["U0OTTO"]\nenvironments = ["dev"]\n')


@pytest.mark.parametrize(
    ("rules", "members", "words"),
    [
        (BASE, Unavailable("Slack", "away"), "@ops"),  # the group is named although its members are unknown
        ('[[allow]]\nmay = "approve"\nwho = ["approvers"]\n', OPERATORS, "no one"),
        ('[[allow]]\nmay = "request"\nwho = ["U0N1", "U0N2", "U0N3", "U0N4", "U0N5"]\n', OPERATORS, "1 more"),
    ],
)
def test_unknown_members_missing_rules_and_long_lists(rules: str, members: Members | Unavailable, words: str) -> None:
    assert words in marks(OTTO, rules, members)["restart"]


def test_marks_are_in_every_list_and_in_the_help_of_one_command_and_mention_no_one() -> None:
    found = marks(OTTO)

    for words in ("all", "change", "restart", "stop the workers at once"):
        shown = str(help_for(words.split(), Surface.SLASH, found).blocks)
        assert "🔒" in shown, words
        assert "<@" not in shown
        assert "subteam" not in shown
    assert "Run restart" not in str(help_for(["restart"], Surface.SLASH, found).blocks)
    assert "Run restart" in str(help_for(["restart"], Surface.SLASH).blocks)
    assert "🔒" not in str(help_for(["change"], Surface.SLASH).blocks)
    assert mark_words(found, "queue") == ""
    assert "🔒" not in str(list_answer("See", [REGISTRY["queue"]], found).blocks)
