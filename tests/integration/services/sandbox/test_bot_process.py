"""The demo's command line: the bot's environment, and nothing else of the caller's."""

import json
import os
import stat
import subprocess
from pathlib import Path

from bot.config.behavior import PeopleSettings
from bot.config.policy import Policy
from bot.config.policy_file import DEFAULT, read_policy
from services.sandbox.database import DESTRUCTIVE, plant, plant_destructive
from services.sandbox.environment import MACHINE, write_policy, write_terminal
from services.sandbox.local_environment import ROOT


def test_a_terminal_sees_what_the_bot_is_reported(tmp_path: Path) -> None:
    path = write_terminal(tmp_path, {"SLACK_APP_TOKEN": "xapp-it's this one"}, working_directory=ROOT)

    caller = {**os.environ, "SLACK_BOT_TOKEN": "xoxb-of-another-bot"}
    ended = subprocess.run([path, "check-config", "--json"], capture_output=True, text=True, env=caller, check=False)

    reported = next(one["detail"] for one in json.loads(ended.stdout)["findings"] if one["check"] == "settings.slack")
    assert "SLACK_BOT_TOKEN is not set" in reported
    assert "SLACK_APP_TOKEN" not in reported


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = write_terminal(tmp_path, {}, working_directory=ROOT)

    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_write_terminal_replaces_the_file_of_a_former_start(tmp_path: Path) -> None:
    write_terminal(tmp_path, {"PORT": "1"}, working_directory=ROOT)

    path = write_terminal(tmp_path, {"PORT": "2"}, working_directory=ROOT)

    assert "PORT=2" in path.read_text()
    assert "PORT=1" not in path.read_text()


def test_write_policy_lets_the_machine_request_and_keeps_what_was_edited(tmp_path: Path) -> None:
    default = DEFAULT.read_text(encoding="utf-8")

    path = write_policy(tmp_path / "demo", default)

    policy = read_policy(path.read_bytes(), path.name, PeopleSettings())
    assert isinstance(policy, Policy)
    [verbs] = [rule.verbs for rule in policy.rules if rule.who == {f"machine:{MACHINE}"}]
    assert set(verbs or ()) == {"read", "ask", "deploy"}
    path.write_text("version = 1\n")
    assert write_policy(tmp_path / "demo", default).read_text() == "version = 1\n"


def test_destructive_migration_is_there_once_planted_and_after_the_next_start(tmp_path: Path) -> None:
    def planted() -> list[str]:
        return sorted(path.name for path in tmp_path.rglob(f"{DESTRUCTIVE.partition('_')[0]}_*"))

    plant(tmp_path / "sql")
    assert planted() == []
    plant_destructive(tmp_path / "sql")
    plant(tmp_path / "sql")

    assert planted() == [f"{DESTRUCTIVE}.sql", f"{DESTRUCTIVE.partition('_')[0]}_rollback.sql"]
