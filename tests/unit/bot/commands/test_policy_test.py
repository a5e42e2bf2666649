"""`policy test` checks expectations against the policy, and names those that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.commands.dispatch import run
from bot.config.environment import Settings
from bot.types import Answer, Request, Surface
from bot.world import World
from playbooks.model import Status
from services.domain.errors import UsageError

POLICY = """version = 1
[[allow]]
may = "request"
who = ["operators"]
verbs = ["scale"]
arguments = ["replicas <= 3"]
[[deny]]
may = "request"
who = ["S0INTERNS"]
"""
MET = """
[groups]
S0INTERNS = ["U0IVAN"]
[[expect]]
who = "U0OLIVIA"
may = "request"
command = "scale ingest 3"
allowed = true
line = 2
[[expect]]
who = "U0IVAN"
may = "request"
command = "scale ingest 1"
allowed = false
line = 7
"""


async def tried(tmp_path: Path, expectations: str, surface: Surface = Surface.TERMINAL, policy: str = POLICY) -> Answer:
    policy_file, file = tmp_path / "policy.toml", tmp_path / "expectations.toml"
    policy_file.write_text(policy)
    file.write_text(expectations)
    people = {"DRAGONFLY_POLICY": str(policy_file), "DRAGONFLY_OPERATORS": "U0OLIVIA,U0IVAN"}
    world = World(Settings.from_environment({"ENVIRONMENT": "prod", "SUPABASE_MODE": "prod", **people}))
    return await run(f"policy test {file}", Request(surface=surface), world)


async def test_expectations_that_are_met_exit_with_0(tmp_path: Path) -> None:
    answer = await tried(tmp_path, MET)

    assert answer.status is Status.OK
    assert "2 of 2 expectations met" in answer.text


async def test_those_that_failed_are_named_with_what_decides(tmp_path: Path) -> None:
    wrong = MET.replace("scale ingest 3", "scale ingest 4").replace("line = 7", "line = 2")

    answer = await tried(tmp_path, wrong)

    assert answer.status is Status.FAIL
    assert "0 of 2 expectations met" in answer.text
    assert "line 4" in answer.text
    assert "allows it only: replicas &lt;= 3" in answer.text
    assert "the policy (line 7) does not allow" in answer.text


@pytest.mark.parametrize(
    ("expectations", "why"),
    [
        ("", "no expectations"),
        ("[[expect]\n", "is not TOML"),
        ('[[expect]]\nwho = "U0OLIVIA"\n', "expectation on line 1 "),
        (MET.replace("allowed = false", "permitted = false"), "expectation on line 10 "),
    ],
)
async def test_a_file_that_does_not_fit_tests_nothing(tmp_path: Path, expectations: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        await tried(tmp_path, expectations)

    assert why in refused.value.why


async def test_files_are_read_on_a_terminal_only(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        await tried(tmp_path, MET, Surface.SLASH)


async def test_a_rule_for_incidents_is_tried_with_the_severity_that_the_file_names(tmp_path: Path) -> None:
    """Without a severity, no incident is open; an unknown severity allows nothing."""
    rule = '[[allow]]\nmay = "request"\nwho = ["U0NIGHT"]\nverbs = ["rollback"]\nseverity = ["sev1"]\n'
    expect = '[[expect]]\nwho = "U0NIGHT"\nmay = "request"\ncommand = "rollback ingest"\nallowed = {}\n{}\n'
    levels = (("true", "sev1"), ("false", "sev2"), ("false", "none"), ("false", "unknown"))
    tries = [(allowed, f'severity = "{one}"') for allowed, one in levels] + [("false", "")]

    answer = await tried(tmp_path, "".join(expect.format(*one) for one in tries), policy=POLICY + rule)

    assert "5 of 5 expectations met" in answer.text, answer.text
    with pytest.raises(UsageError, match="line 1"):
        await tried(tmp_path, expect.format("true", 'severity = "bad"'))
