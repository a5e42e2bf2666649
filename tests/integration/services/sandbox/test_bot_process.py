"""The demo's command line: the bot's environment, and nothing else of the caller's."""

import json
import os
import stat
import subprocess
from pathlib import Path

from services.sandbox.environment import write_terminal
from services.sandbox.local_environment import ROOT


def test_a_terminal_sees_what_the_bot_is_reported(tmp_path: Path) -> None:
    path = write_terminal(tmp_path, {"SLACK_APP_TOKEN": "xapp-it's this one"}, working_directory=ROOT)

    caller = {**os.environ, "SLACK_BOT_TOKEN": "xoxb-of-another-bot"}
    ended = subprocess.run([path, "check-config", "--json"], capture_output=True, text=True, env=caller, check=False)

    told = next(one["detail"] for one in json.loads(ended.stdout)["findings"] if one["check"] == "settings.slack")
    assert "SLACK_BOT_TOKEN is not set" in told
    assert "SLACK_APP_TOKEN" not in told


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = write_terminal(tmp_path, {}, working_directory=ROOT)

    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_write_terminal_replaces_the_file_of_a_former_start(tmp_path: Path) -> None:
    write_terminal(tmp_path, {"PORT": "1"}, working_directory=ROOT)

    path = write_terminal(tmp_path, {"PORT": "2"}, working_directory=ROOT)

    assert "PORT=2" in path.read_text()
    assert "PORT=1" not in path.read_text()
