"""What the bot's process keeps of its environment."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from bot.__main__ import drop_owner

ROOT = Path(__file__).resolve().parents[3]


def test_bot_does_not_keep_the_owners_connection_string(caplog: pytest.LogCaptureFixture) -> None:
    environ = {"DRAGONFLY_ADMIN_DB_URL": "postgresql://owner:secret@db/x", "ENVIRONMENT": "dev"}

    with caplog.at_level(logging.WARNING):
        drop_owner(environ)

    assert environ == {"ENVIRONMENT": "dev"}
    assert "DRAGONFLY_ADMIN_DB_URL" in caplog.text
    assert "secret" not in caplog.text


def test_nothing_is_reported_where_it_is_not_set(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        drop_owner({"ENVIRONMENT": "dev"})

    assert caplog.text == ""


@pytest.mark.parametrize(("log_format", "is_json"), [("json", True), ("xml", False)])
def test_bot_writes_its_log_as_it_is_reported(log_format: str, is_json: bool) -> None:
    """With no Slack token it ends at once, after the line about the owner's connection string."""
    environ = {"LOG_FORMAT": log_format, "DRAGONFLY_ADMIN_DB_URL": "postgresql://owner:secret@db/x"}

    done = subprocess.run([sys.executable, "-m", "bot"], capture_output=True, text=True, env=environ, cwd=ROOT)

    assert done.returncode == 2
    line = done.stdout.splitlines()[0]
    assert line.startswith("{") is is_json
    message = json.loads(line)["message"] if is_json else line
    assert message.startswith("DRAGONFLY_ADMIN_DB_URL is not for the bot")
