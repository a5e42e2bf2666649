"""The process of the bot: the environment that it keeps, and its first log line."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.outside import PATIENCE_S

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="this system shows no process's environment")
def test_running_bot_has_the_owners_connection_string_nowhere_in_its_environment() -> None:
    """`/proc/<pid>/environ` is what a process was started with: it keeps what is taken out of `os.environ` later."""
    with socket.create_server(("127.0.0.1", 0)) as slack:
        environ = {
            "DRAGONFLY_ADMIN_DB_URL": "postgresql://owner:secret@db/x",
            "SLACK_BOT_TOKEN": "xoxb-local",
            "SLACK_APP_TOKEN": "xapp-local",
            "SLACK_API_URL": f"http://127.0.0.1:{slack.getsockname()[1]}/",
            "PORT": "0",
        }
        with subprocess.Popen([sys.executable, "-m", "bot"], stdout=subprocess.PIPE, env=environ, cwd=ROOT) as bot:
            try:
                slack.settimeout(PATIENCE_S)
                with slack.accept()[0]:  # it runs, and calls Slack
                    running = Path(f"/proc/{bot.pid}/environ").read_bytes()
            finally:
                bot.kill()

    assert b"SLACK_BOT_TOKEN" in running
    assert b"owner" not in running
    assert b"DRAGONFLY_ADMIN_DB_URL" not in running


def test_nothing_is_reported_where_the_owners_connection_string_is_not_set() -> None:
    done = subprocess.run([sys.executable, "-m", "bot"], capture_output=True, text=True, env={}, cwd=ROOT)

    assert done.returncode == 2
    assert "DRAGONFLY_ADMIN_DB_URL" not in done.stdout + done.stderr


@pytest.mark.parametrize(("log_format", "is_json"), [("json", True), ("xml", False)])
def test_bot_writes_its_log_as_it_is_reported(log_format: str, is_json: bool) -> None:
    """With no Slack token it ends at once, after the line about the owner's connection string."""
    environ = {"LOG_FORMAT": log_format, "DRAGONFLY_ADMIN_DB_URL": "postgresql://owner:secret@db/x"}

    done = subprocess.run([sys.executable, "-m", "bot"], capture_output=True, text=True, env=environ, cwd=ROOT)

    assert done.returncode == 2
    assert done.stdout.count("DRAGONFLY_ADMIN_DB_URL") == 1
    assert "owner:secret" not in done.stdout + done.stderr
    line = done.stdout.splitlines()[0]
    assert line.startswith("{") is is_json
    message = json.loads(line)["message"] if is_json else line
    assert message.startswith("the bot drops DRAGONFLY_ADMIN_DB_URL")
