"""The rights of a machine: it may request what a rule names, approves nothing, and always needs approvers."""

from __future__ import annotations

from typing import Any

import pytest

from bot.approvals.access import Allowed, Refused, judge
from bot.approvals.rules import is_known, may_request
from bot.config.behavior import PeopleSettings
from bot.config.connections import HookSettings, Machine
from bot.config.fields import Invalid
from bot.config.policy import Policy, Right, Target
from bot.config.policy_file import read_policy
from bot.machines.door import CALLS, MachineDoor, find_machine
from bot.people import People
from services.domain.people import Person, outsider
from services.domain.secrets import Secret
from services.domain.services import Service
from services.domain.status import Risk

CI, LAPTOP = outsider("machine", "ci"), outsider("machine", "laptop")
APPROVERS = {"DRAGONFLY_APPROVERS": "U0ANN,U0BEN"}
PEOPLE = People(workspace="T1")
TARGET = Target("deploy", frozenset({Service.API}), "dev")


def policy(rules: str) -> Policy | Invalid:
    people = PeopleSettings.model_validate(APPROVERS)
    return read_policy(f"version = 1\n{rules}".encode(), "policy.toml", people)


def usable(verbs: str = '"read", "deploy", "stop-workers"') -> Policy:
    found = policy(
        f'[[allow]]\nmay = "request"\nwho = ["machine:ci"]\nverbs = [{verbs}]\n'
        '[[allow]]\nmay = "approve"\nwho = ["approvers"]\n'
    )
    assert isinstance(found, Policy)
    return found


def test_a_machine_may_what_its_rule_names_and_no_other_may_anything() -> None:
    assert isinstance(judge(Right.REQUEST, CI, TARGET, usable(), PEOPLE), Allowed)
    assert isinstance(judge(Right.REQUEST, CI, TARGET, usable('"read"'), PEOPLE), Refused)
    assert isinstance(judge(Right.REQUEST, LAPTOP, TARGET, usable(), PEOPLE), Refused)
    assert isinstance(judge(Right.APPROVE, CI, TARGET, usable(), PEOPLE), Refused)


def test_a_rule_that_lets_a_machine_approve_makes_the_policy_unusable() -> None:
    found = policy('[[allow]]\nmay = "approve"\nwho = ["machine:ci"]\n')

    assert isinstance(found, Invalid)
    assert "machines approve nothing" in found.faults[0].problem
    assert isinstance(policy('[[deny]]\nmay = "approve"\nwho = ["machine:ci"]\n'), Policy)


@pytest.mark.parametrize(
    "who", ["machine:", "machine:CI", "machine:a b", "machine:-x", "robot:ci", f"machine:{'x' * 33}"]
)
def test_policy_refuses_an_invalid_machine_name(who: str) -> None:
    assert isinstance(policy(f'[[allow]]\nmay = "request"\nwho = ["{who}"]\n'), Invalid)


@pytest.mark.parametrize(("risk", "approvers", "fits"), [(Risk.HIGH, "U0ANN,U0BEN", True), (Risk.HIGH, "U0ANN", False)])
def test_a_request_of_a_machine_needs_one_approver_more(risk: Risk, approvers: str, fits: bool) -> None:
    people = PeopleSettings.model_validate({"DRAGONFLY_APPROVERS": approvers})
    rules = '[[allow]]\nmay = "request"\nwho = ["machine:ci"]\n[[allow]]\nmay = "approve"\nwho = ["approvers"]\n'
    found = read_policy(f"version = 1\n{rules}".encode(), "policy.toml", people)
    assert isinstance(found, Policy)

    assert isinstance(may_request(CI, TARGET, risk, found, PEOPLE), Allowed) is fits


def test_a_machine_breaks_no_glass() -> None:
    refused = may_request(CI, Target("stop-workers", frozenset(), "dev"), Risk.BREAK_GLASS, usable(), PEOPLE)

    assert isinstance(refused, Refused)
    assert "who is responsible" in refused.why


def test_no_account_of_slack_is_a_machine() -> None:
    assert not is_known(CI)
    assert is_known(Person("machine:ci", "T1"))
    assert PEOPLE.stranger(Person("machine:ci", "T2")) is not None


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("ci=" + "a" * 32, True),
        ("ci=" + "a" * 31, False),
        ("CI=" + "a" * 32, False),
        ("a" * 40, False),
        (f"ci={'a' * 32},ci={'b' * 32}", False),
        (f"ci={'a' * 32},other={'a' * 32}", False),
        ("", True),
    ],
)
def test_tokens_are_strong_and_of_one_machine_each(value: str, fits: bool) -> None:
    if fits:
        assert len(HookSettings.model_validate({"MACHINE_TOKENS": value}).machines) == bool(value)
    else:
        with pytest.raises(ValueError, match="MACHINE_TOKENS") as error:
            HookSettings.model_validate({"MACHINE_TOKENS": value})
        assert "a" * 31 not in str(error.value)


def test_a_token_is_found_by_the_whole_of_it() -> None:
    machines = (Machine("ci", Secret("a" * 32)), Machine("laptop", Secret("b" * 32)))

    assert find_machine(f"Bearer {'b' * 32}", machines) == "laptop"
    assert find_machine(f"bearer {'a' * 32}", machines) == "ci"
    for wrong in (f"Basic {'a' * 32}", "a" * 32, "Bearer", "", f"Bearer {'a' * 31}", f"Bearer {'a' * 33}", "Bearer é"):
        assert find_machine(wrong, machines) is None


def test_machine_waits_after_its_burst_without_delaying_another_machine() -> None:
    now = 0.0
    nothing: Any = None
    door = MachineDoor(
        world=nothing, approval_service=nothing, incident_service=nothing, slack=nothing, channel="C1",
        workspace_url=lambda: None, clock=lambda: now,
    )  # fmt: skip

    assert [door.wait_s("ci") for _ in range(CALLS.burst)] == [0.0] * CALLS.burst
    assert 0 < door.wait_s("ci") <= CALLS.every_s
    assert door.wait_s("laptop") == 0.0
    now = CALLS.every_s
    assert door.wait_s("ci") == 0.0
    assert door.wait_s("ci") > 0
