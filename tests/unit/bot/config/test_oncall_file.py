"""Reading of on-call files: their schedule, and the line of each mistake."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import date, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.config.fields import Invalid
from bot.config.oncall_file import load_schedule, read_schedule, schedule_faults
from bot.config.paging import OnCallSettings
from services.domain.channels import Channel
from services.domain.oncall import Level, OnCallPerson, Schedule
from services.domain.rotations import CalendarRotation, Hours, Rotation

EXAMPLE = Path(__file__).parents[4] / "bot/config/oncall.example.toml"
PEOPLE = """version = 1
[people.ann]
slack = "U0ANN"
[people.ben]
slack = "U0BEN"
"""
ROTATION = """[rotations.primary]
people = ["ann", "ben"]
starts = 2026-01-05
"""
LEVEL = """[[levels]]
call = ["primary"]
"""
GOOD = PEOPLE + ROTATION + LEVEL


def read(text: str) -> Schedule | Invalid:
    return read_schedule(text.encode(), "oncall.toml")


def usable(text: str) -> Schedule:
    schedule = read(text)
    assert isinstance(schedule, Schedule), schedule
    return schedule


def faults(text: str) -> list[tuple[str, str]]:
    schedule = read(text)
    assert isinstance(schedule, Invalid)
    return [(fault.variable, fault.problem) for fault in schedule.faults]


def test_a_short_file_has_the_usual_times_and_all_means() -> None:
    schedule = usable(GOOD)

    assert schedule.people["ann"] == OnCallPerson("ann", "U0ANN")
    assert schedule.rotations["primary"] == Rotation(
        "primary", ("ann", "ben"), 7, date(2026, 1, 5), time(9), ZoneInfo("UTC")
    )
    assert schedule.levels == (Level(("primary",), frozenset(Channel), timedelta(minutes=5)),)
    assert (schedule.remind_after, schedule.unacknowledge_after) == (timedelta(minutes=30), timedelta(minutes=10))


def test_everything_that_a_file_may_report_is_understood() -> None:
    schedule = usable("""version = 1
time_zone = "Europe/Berlin"
remind_after = "1h"
unacknowledge_after = "90s"
[people.ann]
slack = "W0ANN"
webhook = "ann"
email = "ann-at-home"
phone = "+49 (30) 123-4567"
[rotations.nights]
people = ["ann"]
every = "day"
starts = 2026-01-05
until = 2026-02-01
handover = "17:30"
time_zone = "America/New_York"
hours = "20:00-08:00"
weekdays = "mon-thu,sat"
[[rotations.nights.layers]]
people = ["ann"]
weekdays = "weekend"
[[rotations.nights.layers]]
people = ["ann"]
every = "day"
starts = 2026-01-12
until = 2026-01-13
handover = "07:00"
hours = "07:00-08:00"
[[levels]]
call = ["nights", "ann", "S0GROUP"]
by = ["direct", "webhook"]
wait = "3m"
webhook = "default"
email = "team"
accept_slack_only = true
""")

    assert schedule.people["ann"] == OnCallPerson("ann", "W0ANN", "ann", "ann-at-home", "+49 (30) 123-4567")
    new_york = ZoneInfo("America/New_York")
    assert schedule.rotations["nights"] == Rotation(
        "nights",
        ("ann",),
        1,
        date(2026, 1, 5),
        time(17, 30),
        new_york,
        date(2026, 2, 1),
        Hours(time(20), time(8)),
        frozenset({0, 1, 2, 3, 5}),
        (
            Rotation("nights", ("ann",), 7, date(2026, 1, 5), time(17, 30), new_york, weekdays=frozenset({5, 6})),
            Rotation(
                "nights",
                ("ann",),
                1,
                date(2026, 1, 12),
                time(7),
                new_york,
                date(2026, 1, 13),
                Hours(time(7), time(8)),
            ),
        ),
    )
    assert schedule.levels == (
        Level(
            ("nights", "ann", "S0GROUP"),
            frozenset({Channel.DIRECT, Channel.WEBHOOK}),
            timedelta(minutes=3),
            "default",
            "team",
            accepts_slack_only=True,
        ),
    )
    assert (schedule.remind_after, schedule.unacknowledge_after) == (timedelta(hours=1), timedelta(seconds=90))
    assert schedule.slack_ids == {"W0ANN", "S0GROUP"}


def test_the_example_can_be_used() -> None:
    assert schedule_faults(OnCallSettings(path=EXAMPLE)) == ()


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (GOOD.replace("version = 1", "version = 2"), 1, "`version`: "),
        (GOOD.replace("version = 1", "# none"), None, "`version` is missing"),
        (GOOD.replace("version = 1", 'version = 1\nremind_after = "soon"'), 2, "`remind_after` .*time span"),
        (GOOD.replace("version = 1", 'version = 1\nremind_after = "9s"'), 2, "`remind_after` .*range"),
        (GOOD.replace("version = 1", 'version = 1\ntime_zone = "Mars/Base"'), 2, "`time_zone` is not"),
        (GOOD.replace("version = 1", 'version = 1\ntime_zone = "../etc/passwd"'), 2, "`time_zone` is not"),
        (GOOD.replace("version = 1", "version = 1\nlevel = 3"), 2, "`level` is not known here"),
        (GOOD.replace('slack = "U0BEN"', 'slack = "ben"'), 5, "`slack` is not a Slack user id"),
        (GOOD.replace('slack = "U0BEN"', "slack = 7"), 5, "`slack`: "),
        (GOOD.replace('slack = "U0BEN"', 'slack = "U0BEN"\npager = "x"'), 6, "`pager` is not known here"),
        (
            GOOD.replace('slack = "U0BEN"', 'slack = "U0BEN"\nemail = "ben@example.org"'),
            6,
            "`email` is not the name of",
        ),
        (GOOD.replace("[people.ben]", "[people.Ben]").replace(', "ben"', ""), 4, "`Ben` is not a valid name"),
        (
            GOOD.replace("[people.ben]", '[people."<!channel>"]').replace(', "ben"', ""),
            4,
            r"`\?\?channel\?` is not a valid name",
        ),
        (GOOD.replace('["ann", "ben"]', '["ann", "bem"]'), 7, "`people` .*`bem`.*person"),
        (GOOD.replace('["ann", "ben"]', "[]"), 7, "`people` is empty"),
        (GOOD.replace("starts = 2026-01-05", ""), 6, "`starts` is missing"),
        (GOOD.replace("2026-01-05", '"2026-01-05"'), 8, "`starts` is not a date"),
        (GOOD.replace("2026-01-05", "2026-01-05T09:00:00"), 8, "`starts` is not a date"),
        (GOOD.replace("2026-01-05", '2026-01-05\nhandover = "25:00"'), 9, "`handover` .*time of day"),
        (GOOD.replace("2026-01-05", '2026-01-05\nhours = "8-20"'), 9, "`hours` .*time of day"),
        (GOOD.replace("2026-01-05", '2026-01-05\nhours = "08:00-08:00"'), 9, "`hours` begins and ends at the same"),
        (GOOD.replace("2026-01-05", '2026-01-05\nweekdays = "mo-fr"'), 9, "`weekdays` .*list of weekdays"),
        (GOOD.replace("2026-01-05", '2026-01-05\nweekdays = "week"'), 9, "`weekdays` .*list of weekdays"),
        (GOOD.replace('"U0BEN"', '"U0BEN"\nphone = "call me"'), 6, "`phone` is not a phone number"),
        (GOOD.replace('"U0BEN"', '"U0BEN"\nphone = 49301234567'), 6, "`phone` is not a phone number"),
        (
            GOOD.replace("[[levels]]", '[[rotations.primary.layers]]\npeople = ["cem"]\n[[levels]]'),
            10,
            "`people` .*`cem`.*person",
        ),
        (
            GOOD.replace(
                "[[levels]]", '[[rotations.primary.layers]]\npeople = ["ann"]\nuntil = 2026-01-05\n[[levels]]'
            ),
            11,
            "`until` is not after `starts`",
        ),
        (GOOD.replace("2026-01-05", '2026-01-05\nevery = "month"'), 9, "`every`: "),
        (GOOD.replace("2026-01-05", "2026-01-05\nuntil = 2026-01-05"), 9, "`until` is not after `starts`"),
        (
            GOOD.replace("[rotations.primary]", "[rotations.ann]").replace('call = ["primary"]', 'call = ["ann"]'),
            6,
            "`ann`",
        ),
        (GOOD.replace('call = ["primary"]', 'call = ["primry"]'), 10, "`call` .*`primry`.*rotation"),
        (GOOD.replace('call = ["primary"]', "call = []"), 9, "the level pages no one"),
        (GOOD + 'by = ["shout"]\n', 11, "`by`: "),
        (GOOD + "by = []\n", 11, "`by` is empty"),
        (GOOD + 'wait = "5 moments"\n', 11, "`wait` .*time span"),
        (GOOD + LEVEL + 'wait = "2d"\n', 13, "`wait` .*range"),
        (PEOPLE + ROTATION, None, "`levels` is missing"),
        ("version = 1\nlevels = []\n", 2, "`levels` is empty"),
    ],
)
def test_names_the_line_of_a_mistake(text: str, line: int | None, problem: str) -> None:
    found = faults(text)

    assert len(found) == 1, found
    assert found[0][0] == ("oncall.toml" if line is None else f"oncall.toml line {line}")
    assert re.match(problem, found[0][1])


def test_reports_all_mistakes_at_once() -> None:
    found = faults(GOOD.replace('slack = "U0BEN"', 'slack = "ben"').replace("2026-01-05", "soon = 1"))

    assert found[0][0] == "oncall.toml"  # not TOML: no other mistake can be found
    found = faults(GOOD.replace('slack = "U0BEN"', 'slack = "ben"').replace("2026-01-05", '"soon"'))
    assert [place for place, _ in found] == ["oncall.toml line 5", "oncall.toml line 8"]


def test_no_value_of_the_file_is_repeated() -> None:
    for key in ("wait", "webhook", "by", "accept_slack_only", "hunter"):
        assert "hunter2" not in repr(faults(f'{GOOD}{key} = "https://hooks.example/hunter2"\n'))


def test_without_a_file_there_is_no_schedule() -> None:
    assert load_schedule(OnCallSettings()) is None
    assert schedule_faults(OnCallSettings()) == ()


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    (fault,) = schedule_faults(OnCallSettings(path=tmp_path / "none.toml"))

    assert fault.variable.startswith("DRAGONFLY_ONCALL ")
    assert fault.problem == "cannot be read (No such file or directory)"


def test_read_schedule_ignores_a_byte_order_mark() -> None:
    assert isinstance(read_schedule(b"\xef\xbb\xbf" + GOOD.encode(), "oncall.toml"), Schedule)


WITHOUT_ZONES = """
import sys
sys.modules["tzdata"] = None
import bot.app
from bot.config.oncall_file import read_schedule
print(read_schedule(sys.stdin.buffer.read(), "oncall.toml").faults[0].problem)
"""


def test_a_machine_without_time_zones_loses_the_on_call_file_only() -> None:
    """Neither the system's time zones nor those of the package tzdata are there."""
    reported = subprocess.run(
        [sys.executable, "-c", WITHOUT_ZONES],
        input=GOOD.encode(),
        env={"PYTHONTZPATH": "", "PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
    )

    assert (reported.stdout.decode(), reported.stderr.decode()) == (
        "`time_zone` cannot be looked up on a machine without time zones\n",
        "",
    )


CALENDAR = """[rotations.primary]
calendar = "primary"
time_zone = "Europe/Berlin"
"""


def test_a_rotation_may_have_a_calendar_as_its_source() -> None:
    assert usable(PEOPLE + CALENDAR + LEVEL).rotations["primary"] == CalendarRotation(
        "primary", "primary", ZoneInfo("Europe/Berlin")
    )
    file = usable(PEOPLE + CALENDAR.replace('"primary"', '"On_call.ics"') + LEVEL).rotations["primary"]
    assert isinstance(file, CalendarRotation)
    assert file.calendar == "On_call.ics"
    assert usable(PEOPLE + CALENDAR + LEVEL).has_calendars
    assert not usable(GOOD).has_calendars


def test_a_calendar_is_a_name_or_a_file_beside_it_and_nothing_else_says_whose_turn_it_is() -> None:
    for wrong in ("https://calendar.example/x.ics", "../x.ics", "/etc/x.ics", ".ics", "Primary", ""):
        assert faults(PEOPLE + CALENDAR.replace('"primary"', f'"{wrong}"') + LEVEL) == [
            ("oncall.toml line 7", "`calendar` is not the name of a calendar")
        ]
    assert faults(PEOPLE + CALENDAR + 'people = ["ann"]\nstarts = 2026-01-05\n' + LEVEL) == [
        ("oncall.toml line 9", "`people` has no effect beside `calendar`"),
        ("oncall.toml line 10", "`starts` has no effect beside `calendar`"),
    ]
    assert faults(PEOPLE + '[rotations.primary]\nevery = "week"\n' + LEVEL) == [
        ("oncall.toml line 6", "`people` is missing"),
        ("oncall.toml line 6", "`starts` is missing"),
    ]


def test_a_user_group_follows_one_rotation() -> None:
    group = 'user_group = "S0ONCALL"\n'
    second = ROTATION.replace("primary", "secondary")

    assert usable(PEOPLE + ROTATION + group + LEVEL).user_groups == {"S0ONCALL": "primary"}
    assert usable(PEOPLE + CALENDAR + group + LEVEL).user_groups == {"S0ONCALL": "primary"}
    assert faults(PEOPLE + ROTATION + group.replace("S0ONCALL", "@oncall") + LEVEL) == [
        ("oncall.toml line 9", "`user_group` is not the id of a user group")
    ]
    assert faults(PEOPLE + ROTATION + group + second + group + LEVEL) == [
        ("oncall.toml line 13", "`S0ONCALL` follows another rotation already")
    ]
