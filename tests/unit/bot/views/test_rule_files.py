"""The messages about a new policy and about new alert rules: plain words, and no mentions."""

from __future__ import annotations

from bot.config.alerts_file import default_rules, read_rules
from bot.config.behavior import PeopleSettings
from bot.config.fields import Fault, Invalid
from bot.config.policy import Policy
from bot.config.policy_file import read_policy
from bot.views.rule_files import (
    limit_changes,
    new_policy_message,
    new_rules_message,
    policy_changes,
    refused_file_message,
    right_changes,
)

NAMES = {"S0OPS": "@ops", "U0ANN": "Ann Keller", "U0BEN": "Ben Ito"}
BASE = '[[allow]]\nmay = "request"\nwho = ["operators"]\n[[allow]]\nmay = "approve"\nwho = ["approvers"]\n'


def name_of(slack_id: str) -> str:
    return NAMES.get(slack_id, "")


def read(rules: str, *, approvers: tuple[str, ...] = ("U0ANN",)) -> Policy:
    people = PeopleSettings(operators=("S0OPS",), approvers=approvers)
    policy = read_policy(f"version = 1\n{rules}".encode(), "policy.toml", people)
    assert isinstance(policy, Policy), policy
    return policy


def changes(before: Policy, after: Policy) -> list[str]:
    return list(policy_changes(before, after, name_of))


def test_added_and_removed_rules_are_listed_in_plain_words() -> None:
    scale = (
        '[[allow]]\nmay = "request"\nwho = ["U0NEW", "machine:ci"]\nverbs = ["scale"]\nservices = ["ingest"]\n'
        'environments = ["prod"]\narguments = ["replicas <= 3"]\nseverity = ["sev1"]\n'
    )
    added = "allow: U0NEW, ci (machine) may request scale of ingest in prod (replicas <= 3, in an open SEV1)"

    assert changes(read(BASE), read(scale + BASE)) == [f"added: {added}"], "the other rules only moved"
    assert changes(read(BASE + scale), read(BASE)) == [f"removed: {added}"]
    assert changes(read(BASE), read(f"# a comment\n{BASE}")) == []


def test_a_rule_about_other_people_is_changed_also_when_only_the_environments_list_is() -> None:
    [changed] = changes(read(BASE), read(BASE, approvers=("U0BEN",)))

    assert changed == "changed: allow: Ben Ito may approve everything (now Ben Ito too, no longer Ann Keller)"


def test_right_changes_apply_denies_and_name_verbs() -> None:
    before, deny = read(BASE), '[[deny]]\nmay = "request"\nwho = ["*"]\nverbs = ["scale"]\n'

    assert list(right_changes(before, read(deny + BASE), "prod", name_of)) == ["@ops: may no longer request scale"]
    assert list(right_changes(before, read(BASE, approvers=("U0ANN", "U0BEN")), "prod", name_of)) == [
        "Ben Ito: may now approve everything"
    ]
    elsewhere = '[[allow]]\nmay = "request"\nwho = ["U0BEN"]\nenvironments = ["dev"]\n'
    assert list(right_changes(before, read(elsewhere + BASE), "prod", name_of)) == []


def test_the_message_mentions_no_one_and_is_bounded() -> None:
    many = "".join(f'[[allow]]\nmay = "request"\nwho = ["U0N{n:02}"]\nverbs = ["scale"]\n' for n in range(30))

    for text, blocks in (
        new_policy_message(read(BASE), read(BASE + many), "prod", name_of),
        new_policy_message(None, read(BASE), "prod", name_of),
    ):
        assert "The policy changed and is in force" in text
        assert "<@" not in str(blocks)
        assert "<!" not in str(blocks)
        assert str(blocks).count("added: ") <= 10
    refused = str(
        refused_file_message(
            "policy file", [Fault("policy.toml line 3", "is wrong", "correct it")], show=("Settings", "check-config")
        )
    )
    assert "policy.toml line 3 is wrong: correct it" in refused
    assert "stays in force" in refused


def test_limits_of_alert_rules_are_listed_with_both_values() -> None:
    after = read_rules(b"[telling]\nquiet_s = 77\n", "alerts.toml")
    assert not isinstance(after, Invalid)
    before = default_rules().telling.quiet_s

    assert list(limit_changes(default_rules(), after)) == [f"telling.quiet_s: {before}, now 77.0"]
    assert "telling.quiet_s" in str(new_rules_message(default_rules(), after))
