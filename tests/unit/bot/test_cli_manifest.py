"""The manifest that a person pastes into Slack."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from bot.slack.manifest import EVENTS, OPTIONAL_SCOPES, SCOPES, SHORTCUTS, manifest, manifest_json
from services.domain.errors import UsageError
from services.sandbox.sandbox import SHORTCUTS as SANDBOX_SHORTCUTS
from services.sandbox.sandbox import SUBSCRIBED_EVENTS
from services.sandbox.slack.setup import AppSetup

SCHEMA = json.loads((Path(__file__).parent / "slack-manifest.schema.json").read_text())


@pytest.mark.parametrize("url", [None, "https://bot.example"])
def test_is_valid_against_slacks_schema(url: str | None) -> None:
    jsonschema.validate(manifest(http_url=url), SCHEMA)


def test_scopes_are_those_that_the_local_slack_asks_for() -> None:
    assert {*SCOPES, *OPTIONAL_SCOPES} == AppSetup().scopes


def test_socket_mode_needs_no_address() -> None:
    text = manifest_json()

    assert "request_url" not in text
    assert json.loads(text)["settings"]["socket_mode_enabled"] is True


@pytest.mark.parametrize("url", ["https://bot.example", "https://bot.example/", "https://bot.example/slack/events"])
def test_http_mode_sends_everything_to_one_endpoint(url: str) -> None:
    made = manifest(http_url=url)

    endpoint = "https://bot.example/slack/events"
    assert made["features"]["slash_commands"][0]["url"] == endpoint
    assert made["settings"]["interactivity"]["request_url"] == endpoint
    assert made["settings"]["event_subscriptions"]["request_url"] == endpoint
    assert made["settings"]["socket_mode_enabled"] is False


@pytest.mark.parametrize("url", ["bot.example", "http://bot.example", "https://", "https://[bot", "https://b/?q=1", ""])
def test_address_that_slack_cannot_reach_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="https"):
        manifest(http_url=url)


def test_asks_for_no_more_than_it_uses() -> None:
    assert manifest()["oauth_config"] == {
        "scopes": {
            "bot": [
                "app_mentions:read",
                "channels:history",
                "channels:read",
                "chat:write",
                "commands",
                "files:write",
                "groups:history",
                "groups:read",
                "im:history",
                "im:read",
                "im:write",
                "reactions:read",
                "usergroups:read",
                "users:read",
                "usergroups:write",
            ],
            "bot_optional": ["usergroups:write"],
        }
    }


def test_the_sandbox_has_the_events_and_shortcuts_of_the_manifest() -> None:
    assert set(EVENTS) == SUBSCRIBED_EVENTS
    assert {callback_id: name for callback_id, (name, _) in SHORTCUTS.items()} == dict(SANDBOX_SHORTCUTS)
