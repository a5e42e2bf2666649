"""A policy over a small company: Olivia operates, Ann and Ben approve, Otto has no role."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from bot.config.behavior import PeopleSettings
from bot.config.fields import Invalid
from bot.config.policy import Policy, Target
from bot.config.policy_file import read_policy
from bot.people import Account, Members, People
from services.domain.people import Person, Profile
from services.domain.runs import Run
from services.domain.services import Service
from tests import runs

TEAM = "T0TEAM"
OPERATORS, APPROVERS = "S0OPERATORS", "S0APPROVERS"
EVERYBODY = ("U0OLIVIA", "U0ANN", "U0BEN", "U0OTTO")
NOW = datetime(2025, 12, 20, 3, 0, tzinfo=UTC)

MakePolicy = Callable[..., Policy]
MakeRun = Callable[..., Run]

DEFAULT_RULES = """
[[allow]]
may = "request"
who = ["operators"]
[[allow]]
may = "approve"
who = ["approvers"]
"""


@pytest.fixture
def olivia() -> Person:
    return Person("U0OLIVIA", TEAM)


@pytest.fixture
def ann() -> Person:
    return Person("U0ANN", TEAM)


@pytest.fixture
def ben() -> Person:
    return Person("U0BEN", TEAM)


@pytest.fixture
def otto() -> Person:
    return Person("U0OTTO", TEAM)


@pytest.fixture
def people() -> People:
    """Ann and Ben may both request and approve; both groups were read just now."""
    now = timedelta(0)
    operators = Members(frozenset({"U0OLIVIA", "U0ANN", "U0BEN"}), now)
    groups = {OPERATORS: operators, APPROVERS: Members(frozenset({"U0ANN", "U0BEN"}), now)}
    return People(TEAM, groups, {user: Account(Profile(TEAM)) for user in EVERYBODY})


@pytest.fixture
def make_policy() -> MakePolicy:
    """`make_policy(rules, operators=…, approvers=…)`: `rules` as a policy file has them, by default DEFAULT_RULES."""

    def make(
        rules: str = DEFAULT_RULES,
        *,
        operators: tuple[str, ...] = (OPERATORS,),
        approvers: tuple[str, ...] = (APPROVERS,),
    ) -> Policy:
        settings = PeopleSettings(operators=operators, approvers=approvers)
        policy = read_policy(f"version = 1\n{rules}".encode(), "policy.toml", settings)
        assert not isinstance(policy, Invalid), policy.why
        return policy

    return make


@pytest.fixture
def policy(make_policy: MakePolicy) -> Policy:
    return make_policy()


@pytest.fixture
def rollback() -> Target:
    return Target("rollback", frozenset({Service.API}), "prod")


@pytest.fixture
def make_run() -> MakeRun:
    """`make_run(**fields)`, see `new_run`."""
    return new_run


def new_run(**more: object) -> Run:
    """A stored run of Olivia that waits for one approval and expires in 10 minutes. `more` replaces fields."""
    fields: dict[str, object] = {"id": 7, "requested_by": Person("U0OLIVIA", TEAM), "plan_hash": "a" * 64}
    return runs.new_run(NOW - timedelta(minutes=5), **(fields | more))
