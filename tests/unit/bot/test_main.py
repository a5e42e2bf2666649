"""What the bot's process keeps of its environment."""

from __future__ import annotations

import logging

import pytest

from bot.__main__ import drop_owner


def test_bot_does_not_keep_the_owners_connection_string(caplog: pytest.LogCaptureFixture) -> None:
    environ = {"DRAGONFLY_ADMIN_DB_URL": "postgresql://owner:secret@db/x", "ENVIRONMENT": "dev"}

    with caplog.at_level(logging.WARNING):
        drop_owner(environ)

    assert environ == {"ENVIRONMENT": "dev"}
    assert "DRAGONFLY_ADMIN_DB_URL" in caplog.text
    assert "secret" not in caplog.text


def test_nothing_is_said_where_it_is_not_set(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        drop_owner({"ENVIRONMENT": "dev"})

    assert caplog.text == ""
