"""Reading of the file of alert rules: its limits, its defaults, and the line of each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config.alerts import DECLARED_RULES, FINGERPRINTS, RULES, SUBJECTS, AlertRules
from bot.config.alerts_file import default_rules, load_rules, read_rules, rule_faults, usable_rules
from bot.config.behavior import AlertSettings
from bot.config.fields import Fault, Invalid
from bot.views.alerts import next_steps
from services.domain import thresholds
from services.domain.alerts import Severity
from services.domain.systems import RUNBOOK


def read(text: str) -> AlertRules:
    rules = read_rules(text.encode(), "mine.toml")
    assert isinstance(rules, AlertRules)
    return rules


def fault(text: str) -> Fault:
    rules = read_rules(text.encode(), "mine.toml")
    assert isinstance(rules, Invalid)
    [found] = rules.faults
    return found


def test_a_file_holds_only_what_differs() -> None:
    rules = read('[rules.backlog]\npage_after_s = 60\nseverity = "notify"\n')

    assert (rules.rules.backlog.page_after_s, rules.rules.backlog.severity) == (60, Severity.NOTIFY)
    assert rules.rules.backlog.warn_after_s == default_rules().rules.backlog.warn_after_s


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("version = 1\n[rules.backlog]\npage_afer_s = 3\n", "mine.toml line 3", "`rules.backlog.page_afer_s` is not a"),
        ("[rules.backlogs]\nwait_s = 3\n", "mine.toml line 1", "`rules.backlogs` is not a setting"),
        ("[telling]\n\nquiet_s = -1\n", "mine.toml line 3", "`telling.quiet_s`: input should be greater"),
        ("[rules.api]\nseverity = 'loud'\n", "mine.toml line 2", "`rules.api.severity`: input should be 'page'"),
        ("version = 2\n", "mine.toml line 1", "`version`: input should be 1"),
        ("runbook = 'ftp://x'\n", "mine.toml line 1", "`runbook`: string should match"),
        ("= 3", "mine.toml", "is not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, place: str, problem: str) -> None:
    found = fault(text)

    assert found.variable == place
    assert found.problem.startswith(problem)


def test_mistakes_come_in_the_order_of_their_lines() -> None:
    found = read_rules(b"[rules.api]\nseverity = 'loud'\n[telling]\nquiet_s = -1\n", "mine.toml")

    assert isinstance(found, Invalid)
    assert [fault.variable for fault in found.faults] == ["mine.toml line 2", "mine.toml line 4"]


def test_a_name_that_is_nearly_right_is_offered() -> None:
    assert fault("[rules.backlog]\npage_afer_s = 3\n").what_next == "write `page_after_s`"


def test_a_mistake_repeats_no_value_of_the_file() -> None:
    assert "secret" not in str(fault("runbook = 'secret'\n"))


def test_the_file_is_the_one_that_the_settings_name(tmp_path: Path) -> None:
    path = tmp_path / "alerts.toml"
    path.write_text("[telling]\nquiet_s = 7\n")

    rules = load_rules(AlertSettings(rules_path=path))

    assert isinstance(rules, AlertRules)
    assert rules.telling.quiet_s == 7
    assert load_rules(AlertSettings()) == default_rules()


def test_a_file_that_cannot_be_used_leaves_the_defaults_and_is_reported(tmp_path: Path) -> None:
    missing = AlertSettings(rules_path=tmp_path / "none.toml")

    assert usable_rules(missing) == default_rules()
    [found] = rule_faults(missing)
    assert "cannot be read (No such file" in found.problem


def test_the_limits_are_those_of_the_checks() -> None:
    rules = default_rules().rules

    assert rules.backlog.warn_after_s == thresholds.WAITS_LONG_AFTER.total_seconds()
    assert rules.backlog.page_after_s == thresholds.BACKLOG_AFTER.total_seconds()
    assert rules.failed_jobs.at_least == thresholds.MANY_FAILED
    assert rules.workers.stuck_after_s == thresholds.STUCK_AFTER.total_seconds()
    assert rules.workers.slow_start_after_s == thresholds.SLOW_START_AFTER.total_seconds()
    assert rules["locks"].limit("after_s") == thresholds.LOCK_FORGOTTEN_AFTER.total_seconds()


def test_only_these_default_rules_page() -> None:
    rules = default_rules().rules

    loud = {name for name in RULES if rules[name].severity is Severity.PAGE}
    assert loud == {"heartbeats", "crash_loop", "api", "database", "writes", "system", "backlog"}


def test_every_rule_names_its_section_of_the_runbook() -> None:
    assert all(default_rules().rules.section(name) for name in RULES)


def test_every_name_belongs_to_a_rule() -> None:
    assert set(SUBJECTS) <= set(RULES)
    assert {name.split(".")[0] for name in FINGERPRINTS} == set(RULES)


def test_a_lookup_finds_every_rule_and_changes_nothing_of_the_rules() -> None:
    changed = "[rules.memory]\nwithin_s = 600"
    rules = read(changed).rules

    assert [rules[name] for name in RULES] == [rules.find(name) for name in RULES]
    assert (rules["memory"], rules.find("gone")) == (rules.memory, None)
    assert {name for name, _ in rules} == set(RULES), "what iterates over them sees rules only"
    assert rules == read(changed).rules, "a file that is read again is the same"
    assert rules.model_dump() == read(changed).rules.model_dump()


def test_read_rules_ignores_a_byte_order_mark() -> None:
    assert isinstance(read_rules(b"\xef\xbb\xbfversion = 1\n", "mine.toml"), AlertRules)


def test_a_rule_is_declared_by_its_table_alone() -> None:
    plain = {"severity": "notify", "wait_s": 0, "section": "Troubleshooting", "from_share": 0.9}
    declared = {**DECLARED_RULES, "rules": {**DECLARED_RULES["rules"], "disk": plain}}

    rule = AlertRules.model_validate(declared).rules["disk"]

    assert (rule.severity, rule.limit("from_share"), rule.over) == (Severity.NOTIFY, 0.9, "{title}")
    assert "over" not in rule.model_dump(), "what is the release's is no limit that changed"


def test_a_copy_of_the_whole_file_with_other_buttons_is_taken_without_them() -> None:
    taken = read_rules(b"[rules.memory]\nwait_s = 7\nover = 'x'\nbuttons = []\nsubjects = []\n", "mine.toml")

    assert isinstance(taken, AlertRules)
    assert taken.rules["memory"].wait_s == 7
    assert len(next_steps("memory", RUNBOOK.api)) == 2
