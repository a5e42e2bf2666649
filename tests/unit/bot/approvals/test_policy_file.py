"""Reading of policy files: their rules, and the line of each mistake."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from pathlib import Path

import pytest

from bot.config.behavior import PeopleSettings
from bot.config.fields import Fault, Invalid
from bot.config.policy import Policy, Right, Rule
from bot.config.policy_file import DEFAULT, load_policy, read_policy
from services.domain.systems import CIVIL

PEOPLE = PeopleSettings(operators=("U0OLIVIA",), approvers=("S0APPROVERS",))
RULE = """
[[allow]]
may = "request"
who = []

"""


def read(text: str) -> Policy | Invalid:
    return read_policy(text.encode(), "policy.toml", PEOPLE)


def faults(text: str) -> list[tuple[str, str]]:
    policy = read(text)
    assert isinstance(policy, Invalid)
    return [(fault.variable, fault.problem) for fault in policy.faults]


def test_default_lets_operators_ask_and_approvers_approve() -> None:
    policy = load_policy(PEOPLE)

    assert isinstance(policy, Policy)
    assert [(rule.denies, rule.right, rule.who) for rule in policy.rules] == [
        (False, Right.REQUEST, frozenset({"U0OLIVIA"})),
        (False, Right.APPROVE, frozenset({"S0APPROVERS"})),
    ]
    assert policy.expires_after == timedelta(minutes=15)


def test_hash_is_the_files() -> None:
    policy = load_policy(PEOPLE)

    assert isinstance(policy, Policy)
    assert policy.hash == hashlib.sha256(DEFAULT.read_bytes()).hexdigest()


def test_rule_names_verbs_services_and_environments() -> None:
    policy = read("""version = 1
[[deny]]
may = "approve"
who = ["*", "U0ANN"]
verbs = ["rollback-db", "scale"]
services = ["workers", "api"]
environments = ["prod", "qa"]
""")

    assert isinstance(policy, Policy)
    assert policy.rules == (
        Rule(
            True,
            Right.APPROVE,
            frozenset({"*", "U0ANN"}),
            frozenset({"rollback-db", "scale"}),
            frozenset(CIVIL.services),  # `workers` means those of every system
            frozenset({"prod", "qa"}),
            "line 2",
        ),
    )


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("version = 2\n", "policy.toml line 1", "`version` is not 1"),
        ("# nothing\n", "policy.toml", "`version` is not 1"),
        ("version = 1\nexpires = 3\n", "policy.toml line 2", "`expires` is not a key of a policy"),
        ("version = 1\nexpires_after_s = 0\n", "policy.toml line 2", "`expires_after_s` is not seconds"),
        ("version = 1\nexpires_after_s = true\n", "policy.toml line 2", "`expires_after_s` is not seconds"),
        ("version = 1\nexpires_after_s = nan\n", "policy.toml line 2", "`expires_after_s` is not seconds"),
        ("version = 1\nallow = 3\n", "policy.toml line 2", "`allow` .*list of rules"),
        ("version = 1\nallow = [3]\n", "policy.toml line 2", "`allow` .*list of rules"),
        ('version = 1\n[allow]\nmay = "request"\n', "policy.toml line 2", "`allow` .*list of rules"),
        ("version = 1\n[[alow]]\n", "policy.toml line 2", "`alow` is not a key of a policy"),
        (f"version = 1{RULE}[[alow]]\n", "policy.toml line 6", "`alow` is not a key of a policy"),
    ],
)
def test_names_the_line_of_a_mistake_above_the_rules(text: str, place: str, problem: str) -> None:
    found = faults(text)

    assert len(found) == 1
    assert found[0][0] == place
    assert re.match(problem, found[0][1])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('may = "do"', "`may` is neither request nor approve"),
        ("who = []\nwhom = []", "`whom` is not a key of a rule"),
        ('who = "operators"', "`who` .*list of words"),
        ("who = [7]", "`who` .*list of words"),
        ('who = ["ann"]', "`who` names `ann`, which is not a Slack id"),
        ('who = ["*"]', r"`who` names `\*`, which is not a Slack id"),
        ('who = ["<!channel>"]', r"`who` names `\?\?channel\?`, which is not a Slack id"),
        ('verbs = ["rolback"]', "`verbs` names `rolback`, which does not exist"),
        ('services = ["db"]', "`services` names `db`, which does not exist"),
        ('environments = ["production"]', "`environments` names `production`, which does not exist"),
    ],
)
def test_names_the_line_of_a_mistake_in_a_rule(line: str, problem: str) -> None:
    good = {"may": 'may = "request"', "who": 'who = ["operators"]'}
    key = line.split(" ")[0]
    lines = ["version = 1", "[[allow]]", *good.values(), "", "[[allow]]"]
    lines += [*(text for name, text in good.items() if name != key), line]

    [(place, found)] = faults("\n".join(lines))

    assert place == f"policy.toml line {len(chr(10).join(lines).splitlines())}"
    assert re.fullmatch(problem, found)


def test_names_the_rule_that_lacks_a_key() -> None:
    assert faults('version = 1\n\n[[allow]]\nwho = ["operators"]\n') == [
        ("policy.toml line 3", "`may` is neither request nor approve")
    ]


def test_reports_the_nearest_word() -> None:
    policy = read('version = 1\n[[allow]]\nmay = "request"\nwho = []\nverbs = ["rolback"]\n')

    assert isinstance(policy, Invalid)
    assert policy.faults[0].what_next == "write `rollback`"


def test_reports_every_mistake_at_once() -> None:
    assert len(faults('version = 3\n[[allow]]\nmay = "do"\nwho = ["x"]\nverbs = ["y"]\n')) == 4


def test_text_that_is_not_toml_is_reported_with_its_line() -> None:
    (found,) = faults("version = 1\n[[allow]\n")

    assert "line 2" in found[1]


def test_bytes_that_are_no_text_are_reported() -> None:
    policy = read_policy(b"\xff\xfe", "policy.toml", PEOPLE)

    assert isinstance(policy, Invalid)


def test_file_that_is_not_there_is_reported(tmp_path: Path) -> None:
    policy = load_policy(PEOPLE, tmp_path / "missing.toml")

    assert isinstance(policy, Invalid)
    assert "cannot be read" in policy.why
    assert "DRAGONFLY_POLICY" in policy.faults[0].variable


def test_file_of_the_settings_is_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("version = 1\n")
    settings = PeopleSettings(operators=("U0OLIVIA",), approvers=(), policy_path=path)

    policy = load_policy(settings)

    assert isinstance(policy, Policy)
    assert policy.rules == ()


def test_malformed_lists_of_people_make_the_policy_unusable() -> None:
    people = Invalid(
        "people", (Fault("DRAGONFLY_APPROVERS", "holds 1 of 1 entries that are not Slack ids", "list ids"),)
    )

    assert load_policy(people) == people


def test_read_policy_ignores_a_byte_order_mark() -> None:
    assert isinstance(read_policy(b"\xef\xbb\xbf" + DEFAULT.read_bytes(), "policy.toml", PEOPLE), Policy)
