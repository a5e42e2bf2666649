"""The checks of the bot's settings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from playbooks.check_config import Facts, check
from playbooks.checks.oncall import Targets
from playbooks.checks.settings import DISABLED_BY, Group
from playbooks.model import Finding, Status, worst
from services.domain.channels import Channel
from services.domain.database import Query, SchemaDrift
from services.domain.errors import Unavailable
from services.domain.messages import PAGE, RefusedMessage
from services.domain.oncall import NOT_KNOWN, Level, OnCallPerson, Schedule
from services.domain.systems import RUNBOOK

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
ANN = OnCallPerson("ann", "U0ANN", webhook="ann")
COMPLETE = Facts(
    groups=[Group(name) for name in DISABLED_BY],
    operators=("U1", "U2"),
    approvers=("U1", "U2"),
    sources={"database": None, "Railway": None, "API": None},
    drift=SchemaDrift(2),
    gaps={"rollback": None, "scale": None},
    outside_targets=2,
    is_monitored=True,
    schedule=Schedule({"ann": ANN}, {}, (Level(("ann",), frozenset(Channel), timedelta(minutes=5)),)),
    targets=Targets(webhooks=["ann"]),
    system=RUNBOOK,
    now=NOW,
)


def by_name(facts: Facts) -> dict[str, Finding]:
    return {finding.check: finding for finding in check(facts)}


def test_complete_settings_and_answering_sources_are_fine() -> None:
    assert worst(check(COMPLETE)) is Status.OK


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (("U1",), "1 person"),
        (("U1", "W2"), "2 people"),
        (("S0GROUP",), "1 user group"),
        (("S0GROUP", "U1"), "1 user group and 1 person"),
        (("S0ONE", "S0TWO", "U1", "U2"), "2 user groups and 2 people"),
    ],
)
def test_user_group_is_not_counted_as_one_person(listed: tuple[str, ...], words: str) -> None:
    found = by_name(replace(COMPLETE, operators=listed, approvers=listed))

    assert found["people.operators"].title == f"operators: {words}"
    assert found["people.approvers"].title == f"approvers: {words}"


def test_a_group_that_cannot_be_used_names_faults_and_disabled_commands() -> None:
    broken = replace(COMPLETE, groups=[Group("railway", ("RAILWAY_TOKEN is not set: make one",))])

    finding = by_name(broken)["settings.railway"]

    assert finding.status is Status.FAIL
    assert "RAILWAY_TOKEN is not set" in finding.detail
    assert "disabled: deployments, logs, env" in finding.detail


def test_empty_lists_mean_no_one() -> None:
    found = by_name(replace(COMPLETE, operators=(), approvers=None))

    assert found["people.operators"].title.startswith("no one")
    assert found["people.operators"].status is Status.WARN
    assert found["people.approvers"].status is Status.FAIL


def test_a_source_that_does_not_answer_is_wrong() -> None:
    silent = replace(COMPLETE, sources={"Railway": Unavailable("Railway", "HTTP 403: not authorized")})

    finding = by_name(silent)["source.railway"]

    assert (finding.status, finding.detail) == (Status.FAIL, "HTTP 403: not authorized")


def test_check_config_names_the_missing_column_on_drift() -> None:
    drift = SchemaDrift(2, {Query("list_heartbeats", "heartbeats"): 'column "last_seen" does not exist'})

    finding = by_name(replace(COMPLETE, drift=drift))["drift.list_heartbeats"]

    assert (finding.status, finding.title) == (Status.FAIL, 'column "last_seen" does not exist')


def test_changes_that_no_one_could_have_done_are_listed() -> None:
    gaps = {"rollback": "api has no approver", "scale": None}

    found = by_name(replace(COMPLETE, gaps=gaps))

    assert found["policy.rollback"].title == "rollback: api has no approver"
    assert found["policy.rollback"].status is Status.WARN
    assert "policy" not in found


def test_changes_whose_approvers_slack_does_not_report_are_unknown() -> None:
    why = Unavailable("Slack", "the members of S0APPROVERS are not known")

    finding = by_name(replace(COMPLETE, gaps={"rollback": why, "scale": why}))["policy"]

    assert (finding.status, finding.title) == (Status.UNKNOWN, "approvers of rollback, scale unknown")


def test_policy_that_cannot_be_used_is_a_fault_and_no_list_of_changes() -> None:
    broken = replace(COMPLETE, groups=[Group("policy", ("policy.toml line 3 is wrong: mend it",))], gaps={})

    found = by_name(broken)

    assert "line 3" in found["settings.policy"].detail
    assert not [name for name in found if name.startswith("policy")]


def test_a_bot_that_can_wake_no_one_is_warned_of() -> None:
    found = by_name(replace(COMPLETE, outside_targets=0, is_monitored=False))

    assert found["paging.targets"].status is Status.WARN
    assert "muted at night" in found["paging.targets"].detail
    assert found["paging.monitor"].status is Status.WARN


def test_a_model_that_is_going_to_be_shut_down_is_warned_of() -> None:
    finding = by_name(replace(COMPLETE, model="gpt-4o-mini"))["assistant.model"]

    assert finding.status is Status.WARN
    assert "2027-01-14" in finding.title
    for model in (None, "gpt-6-luna", "another"):
        assert "assistant.model" not in by_name(replace(COMPLETE, model=model))


def test_without_an_on_call_file_incidents_reach_people_in_slack_only() -> None:
    finding = by_name(replace(COMPLETE, schedule=None))["oncall.schedule"]

    assert finding.status is Status.WARN


def test_a_mistake_in_the_on_call_file_is_reported_once() -> None:
    broken = replace(COMPLETE, schedule=None, groups=[Group("oncall", ("oncall.toml line 3: …",))])

    assert [name for name in by_name(broken) if "oncall" in name] == ["settings.oncall"]


def test_the_levels_of_the_on_call_file_are_judged() -> None:
    assert by_name(replace(COMPLETE, targets=Targets()))["oncall.target.webhook.ann"].status is Status.FAIL


def test_a_channel_that_takes_nothing_is_wrong() -> None:
    found = by_name(replace(COMPLETE, channel_problem="the bot is not a member"))

    assert found["bot.channel"].status is Status.FAIL


def test_pages_that_slack_refused_are_wrong_and_notes_a_warning() -> None:
    note = RefusedMessage("alert:1", "C1", 0, "chat.postMessage was refused (invalid_blocks)", NOW)

    assert by_name(replace(COMPLETE, refused=[note]))["slack.refused"].status is Status.WARN
    page = by_name(replace(COMPLETE, refused=[replace(note, priority=PAGE), note]))["slack.refused"]
    assert page.status is Status.FAIL
    assert " 2 messages " in page.title
    assert page.detail == "the newest is alert:1: chat.postMessage was refused (invalid_blocks)"


def test_a_user_group_that_does_not_follow_its_rotation_is_a_warning() -> None:
    found = check(replace(COMPLETE, user_groups=[("S0ONCALL", "the app lacks the scope")]))

    [finding] = [one for one in found if one.check.startswith("oncall.groups")]
    assert (finding.status, finding.detail) == (Status.WARN, "the app lacks the scope")
    unknown = check(replace(COMPLETE, user_groups=Unavailable("database", "away")))
    assert Status.UNKNOWN in [one.status for one in unknown if one.check == "oncall.groups"]


def test_an_id_that_slack_does_not_know_is_wrong_but_its_person_is_not_skipped() -> None:
    assert COMPLETE.schedule is not None
    [slack_id] = COMPLETE.schedule.slack_ids
    found = by_name(replace(COMPLETE, absent={slack_id: NOT_KNOWN}))["oncall.absent.1.ann"]

    assert (found.status, found.title) == (Status.FAIL, "level 1 pages ann, who is not known to Slack")
    assert "correct the id" in found.detail
